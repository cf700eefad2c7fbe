// Builds the lines of the telemetry files (docs/telemetry-format.md) and gives them to their streams: log lines to one
// folder, everything else to another.
import { complain, guarded } from './complaints.mjs';
import { Sampler } from './sampling.mjs';
import { Budget, LineWriter } from './writer.mjs';

const BULKY = ['input', 'output', 'requestContext']; // after the fields that must not be cut when a line gets too long

export class Telemetry {
  #ids;
  #redactor;
  #sampler;
  #status;
  #traces;
  #logs;

  constructor(settings, status, redactor) {
    const { projectId, deploymentId, buildId, processId } = settings;
    this.#ids = { projectId, deploymentId, buildId, processId };
    this.#redactor = redactor;
    this.#status = status;
    this.#sampler = new Sampler(settings.policy, (type, isRoot) => status.countLeftOut(type, isRoot));
    const budget = new Budget();
    this.#traces = settings.tracesFolder ? this.#openStream(settings.tracesFolder, budget) : null;
    this.#logs = settings.logsFolder ? this.#openStream(settings.logsFolder, budget) : null;
  }

  /** Records a span; `event` is started, updated or ended. */
  recordSpan(event, span) {
    this.#record(this.#traces, 'span', span, event);
  }

  /** Records a metric, score or feedback. */
  record(type, data) {
    this.#record(this.#traces, type, data);
  }

  recordLog(log) {
    this.#record(this.#logs, 'log', log);
  }

  /** Writes also what waited for a trace to fail: the process is about to crash. */
  keepAll() {
    guarded('writing what waited', () => this.#sampler.keepAll());
  }

  async flush() {
    await Promise.all([this.#traces?.writer.flush(), this.#logs?.writer.flush()]);
  }

  /** Writes what is left and closes the files, synchronously: the process is about to end. */
  finish() {
    guarded('leaving traces out', () => this.#sampler.finish());
    for (const stream of [this.#traces, this.#logs]) guarded('closing a telemetry file', () => stream?.writer.finish());
  }

  #openStream(folder, budget) {
    const writer = new LineWriter({
      folder,
      budget,
      onWritten: types => this.#status.countWritten(types),
      onDropped: (count, reason) => this.#status.countDropped(count, reason),
      onTrouble: complain,
    });
    return { writer, sequence: 0 };
  }

  #record(stream, type, data, event) {
    if (!stream) return;
    const timestamp = Date.now();
    guarded(`recording a ${type}`, () =>
      this.#sampler.take(
        { type, event, data },
        () => JSON.stringify(this.#redactor.copyRecord(sortBulkyLast(data))),
        text => this.#write(stream, { type, event, ...this.#ids, timestamp }, text),
      ),
    );
  }

  /** Lines are numbered when they are written: a number that is missing is one that was lost. */
  #write(stream, head, text) {
    stream.sequence += 1;
    const begun = JSON.stringify({ id: `${stream.writer.id}-${stream.sequence}`, ...head });
    stream.writer.write(`${begun.slice(0, -1)},"data":${text}}`, head.type);
  }
}

function sortBulkyLast(data) {
  if (!BULKY.some(name => name in data)) return data;
  const entries = Object.entries(data);
  const isBulky = ([name]) => BULKY.includes(name);
  return Object.fromEntries([...entries.filter(entry => !isBulky(entry)), ...entries.filter(isBulky)]);
}
