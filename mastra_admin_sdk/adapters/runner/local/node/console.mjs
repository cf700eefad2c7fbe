// Records what the app prints with console.log and its kin. What Mastra's own logger prints comes as a log event already:
// it prints first and then, in the same breath, reports the event. So the line that was printed last is held back until
// that breath is over, and dropped when the event is about it.
import { format, inspect } from 'node:util';
import { guarded } from './complaints.mjs';

const LEVELS = { log: 'info', info: 'info', warn: 'warn', error: 'error', debug: 'debug' };

export class ConsoleRecorder {
  #telemetry;
  #redactor;
  #findSpan;
  #held = null;
  #recording = false;
  #ending = false;

  /** `findSpan()` returns `{traceId, spanId}` of what the app does right now, or undefined. */
  constructor(telemetry, redactor, findSpan) {
    this.#telemetry = telemetry;
    this.#redactor = redactor;
    this.#findSpan = findSpan;
  }

  /** Wraps the methods of `target`: they print as before, and what they print is recorded. */
  install(target = globalThis.console) {
    for (const [name, level] of Object.entries(LEVELS)) this.#wrap(target, name, level);
  }

  /** Drops the held line when the logger printed it; called with each message that arrives as a log event. */
  forget(message) {
    if (this.#held && isPrintOf(this.#held.first, String(message))) this.#held = null;
  }

  /** Holds back no more lines: the process is about to end, and no later moment may come. */
  finish() {
    this.#ending = true;
    this.release();
  }

  /** Records the held line. */
  release() {
    const held = this.#held;
    this.#held = null;
    if (held) this.#telemetry.recordLog(held.log);
  }

  #wrap(target, name, level) {
    const original = target[name];
    const recorder = this;
    const wrapper = {
      [name](...args) {
        const result = Reflect.apply(original, this, args);
        guarded('recording the console', () => recorder.#record(level, args));
        return result;
      },
    }[name];
    Object.defineProperty(target, name, { ...Object.getOwnPropertyDescriptor(target, name), value: wrapper });
  }

  #record(level, args) {
    if (this.#recording) return; // a getter or an inspect method of the app's objects prints, too
    this.#recording = true;
    try {
      this.release();
      this.#held = { first: args[0], log: this.#describe(level, args) };
      if (this.#ending) this.release();
      else queueMicrotask(() => this.release());
    } finally {
      this.#recording = false;
    }
  }

  #describe(level, args) {
    const message = format(...args.map(arg => this.#clean(arg)));
    const timestamp = new Date().toISOString();
    return { timestamp, level, message, source: 'console', ...this.#findSpan() };
  }

  /** Objects are copied without their secrets before they become text, in which secrets are hard to find. */
  #clean(arg) {
    if (arg instanceof Error) return this.#describeError(arg);
    return arg !== null && typeof arg === 'object' ? this.#redactor.copy(arg) : arg;
  }

  #describeError(error) {
    const { name, message, stack, ...details } = this.#redactor.copy(error);
    const text = stack || `${name}: ${message}`;
    return Object.keys(details).length > 0 ? `${text} ${inspect(details)}` : text;
  }
}

/** ConsoleLogger prints the message as it is, or with its component in front: `[WORKFLOW] …`. */
function isPrintOf(printed, message) {
  if (typeof printed !== 'string' || !printed.endsWith(message)) return false;
  return /^(?:\[[^\]]*\] )?$/.test(printed.slice(0, printed.length - message.length));
}
