// What became of tracing, in a small JSON file that the runner reads: whether the app is traced, and if not, why.
import fs from 'node:fs';
import path from 'node:path';
import { complain } from './complaints.mjs';

const COUNTS_MS = 1_000;
const INSTANCES_MS = 50; // some apps make a Mastra for every request
const { setTimeout, clearTimeout } = globalThis; // the app may replace them

/**
 * The state of the preload. Whether and how the app is traced reaches the file at once: the runner reads it as soon as
 * the server is healthy. Counts reach it at most once a second, and at the end.
 */
export class Status {
  #file;
  #timer = null;
  #savedAt = 0;
  #due = 0;
  #state = {
    pid: process.pid,
    node: process.version,
    mastra: false,
    core_version: null,
    observability: 'missing',
    observability_version: null,
    instances: 0,
    api_prefix: null,
    studio_base: null,
    traced: false,
    reason: 'no import of @mastra/core was seen yet',
    written: {},
    dropped: 0,
    dropped_reason: null,
    sampled_out: {},
  };

  constructor(file) {
    this.#file = file;
  }

  get state() {
    return this.#state;
  }

  update(changes) {
    const changed = Object.keys(changes).filter(name => this.#state[name] !== changes[name]);
    Object.assign(this.#state, changes);
    if (changed.some(name => name !== 'instances')) this.save();
    else if (changed.length > 0) this.#schedule(INSTANCES_MS);
  }

  countWritten(types) {
    for (const type of types) this.#state.written[type] = (this.#state.written[type] ?? 0) + 1;
    this.#schedule(COUNTS_MS);
  }

  countDropped(count, reason) {
    Object.assign(this.#state, { dropped: this.#state.dropped + count, dropped_reason: reason });
    this.#schedule(COUNTS_MS);
  }

  /** Counts a line that belongs to a trace outside of the sample; the end of its root counts the trace. */
  countLeftOut(type, isRoot) {
    const counts = this.#state.sampled_out;
    for (const name of isRoot ? [type, 'trace'] : [type]) counts[name] = (counts[name] ?? 0) + 1;
    this.#schedule(COUNTS_MS);
  }

  /** Writes the file now. It is small, and complete whenever somebody reads it. */
  save() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#savedAt = Date.now();
    if (!this.#file) return;
    const text = `${JSON.stringify(this.#state)}\n`;
    try {
      replaceFile(this.#file, text);
    } catch (error) {
      if (!overwriteFile(this.#file, text)) complain('status', `The tracing status can't be written: ${error.message}`);
    }
  }

  #schedule(interval) {
    const due = this.#savedAt + interval;
    if (this.#timer && this.#due <= due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => this.save(), Math.max(0, due - Date.now())).unref();
  }
}

/** Readers see the old file or the new one. */
function replaceFile(file, text) {
  const draft = `${file}.${process.pid}.tmp`;
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(draft, text, { mode: 0o600 });
    fs.renameSync(draft, file);
  } catch (error) {
    fs.rmSync(draft, { force: true });
    throw error;
  }
}

/** The room that a file has is still its own when the disk is full, which is when there are drops to be told. */
function overwriteFile(file, text) {
  try {
    const fd = fs.openSync(file, 'r+');
    try {
      const bytes = Buffer.from(text.trimEnd().padEnd(fs.fstatSync(fd).size - 1) + '\n');
      return fs.writeSync(fd, bytes, 0, bytes.length, 0) === bytes.length;
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    return false; // the caller says why the file could not be replaced
  }
}
