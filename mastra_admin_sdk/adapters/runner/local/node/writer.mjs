// A stream of lines, written to files that a collector reads while they grow. The app is never waited for and never made
// to wait: lines are queued in memory and written by libuv's threads a moment later; only while the process exits are
// they written synchronously.
import { randomUUID } from 'node:crypto';
import nodeFs from 'node:fs';
import path from 'node:path';
import { complain } from './complaints.mjs';
import { FileRemoved, LineFile } from './linefile.mjs';

const MEGABYTE = 1024 * 1024;
const BATCH_BYTES = MEGABYTE;
const BATCH_LINES = 512; // below IOV_MAX, so that a batch is one system call
const LINE_OVERHEAD = 128; // bytes of memory that a queued line costs beside its text
const DELAY_MS = 10;
const SYNC_MS = 2_000;
const RETRY_MS = { first: 250, last: 5_000 };

// The app may replace the global ones, as fake timers do.
const { setTimeout, clearTimeout } = globalThis;

/** The memory that the streams of a process share. */
export class Budget {
  constructor(limit = 8 * MEGABYTE) {
    this.limit = limit;
    this.used = 0;
  }

  take(bytes) {
    if (this.used + bytes > this.limit) return false;
    this.used += bytes;
    return true;
  }

  give(bytes) {
    this.used -= bytes;
  }
}

/**
 * Writes lines to `<folder>/<ms>_<id>.jsonl`. Listeners: `onWritten(kinds)` after write(2) returned, with the kind of
 * each line; `onDropped(count, reason)` for lines that will never be written; `onTrouble(kind, message)` whenever
 * something is in the way, however often.
 */
export class LineWriter {
  #folder;
  #budget;
  #maxFileBytes;
  #fs;
  #listeners;
  #queue = [];
  #batch = []; // given to a thread; still counted in the budget
  #file = null;
  #closing = null;
  #lastStamp = 0;
  #timer = null;
  #syncTimer = null;
  #draining = null;
  #retryMs = 0;
  #trouble = null;
  #exiting = false;

  constructor({ folder, budget = new Budget(), maxFileBytes = 10 * MEGABYTE, fs = nodeFs, ...listeners }) {
    this.id = randomUUID();
    this.#folder = folder;
    this.#budget = budget;
    this.#maxFileBytes = maxFileBytes;
    this.#fs = fs;
    this.#listeners = { onWritten() {}, onDropped() {}, onTrouble() {}, ...listeners };
  }

  /** Queues `text`, a line without its end; `kind` comes back in `onWritten`. */
  write(text, kind) {
    const line = { bytes: Buffer.from(`${text}\n`), kind };
    if (!this.#budget.take(cost(line))) return this.#refuse();
    this.#queue.push(line);
    if (this.#exiting) this.#writeRestNow();
    else if (!this.#draining) this.#schedule();
  }

  /** Resolves when what was queued is written, or can't be for now. Never rejects. */
  async flush() {
    this.#drain();
    await this.#draining;
  }

  /** Writes what is queued without returning to the event loop, and closes the file: the process is about to end. */
  finish() {
    if (this.#exiting) return;
    this.#exiting = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#syncTimer);
    this.#putBack();
    this.#writeRestNow();
    this.#closeNow(this.#closing);
    this.#closeNow(this.#file);
    this.#file = null; // lines that come later still, from exit listeners of the app, get a file of their own
  }

  // While the app runs: one asynchronous step after the other.

  #schedule() {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#drain();
    }, this.#retryMs || DELAY_MS).unref();
  }

  #drain() {
    if (this.#draining || this.#exiting) return;
    this.#draining = this.#writeQueue().then(() => {
      this.#draining = null;
      if (this.#queue.length > 0 && !this.#exiting) this.#schedule();
    });
  }

  async #writeQueue() {
    try {
      while (this.#queue.length > 0 && !this.#exiting) await this.#writeBatch();
    } catch (error) {
      if (!this.#exiting) await this.#recover(error).catch(failure => complain('writer', `Telemetry: ${failure.stack}`));
    }
  }

  async #writeBatch() {
    if (this.#file && this.#isFull()) await this.#rotate();
    if (this.#exiting) return;
    if (!this.#file?.isOpen) await (this.#file = this.#nameFile()).open();
    if (this.#exiting) return;
    this.#batch = this.#takeBatch();
    const count = await this.#file.append(this.#batch.map(line => line.bytes));
    if (!this.#exiting) this.#accept(count);
  }

  async #rotate() {
    this.#closing = this.#file;
    this.#file = null;
    await this.#closing.close();
    this.#closing = null;
  }

  /** Keeps the lines, and decides what to do with the file they were meant for. */
  async #recover(error) {
    this.#putBack();
    const again = this.#retryMs > 0;
    this.#retryMs = Math.min(this.#retryMs * 2 || RETRY_MS.first, RETRY_MS.last);
    this.#noteTrouble(error);
    const file = this.#file ?? this.#closing;
    this.#closing = null;
    if (!file?.isOpen) this.#file = null;
    else if (error instanceof FileRemoved) this.#startOver(file);
    else if (isDiskFull(error) && !(again && file.size > 0)) await file.trim().catch(failure => this.#noteTrouble(failure));
    else await this.#leave(file);
  }

  /** The lines at hand go to a new file, at once. */
  #startOver(file) {
    file.abandon();
    this.#file = null;
    this.#retryMs = 0;
  }

  /** Gives up a file that can't be written any more; it is closed as well as it can be. */
  async #leave(file) {
    this.#file = null;
    await file.close().catch(() => file.abandon());
  }

  #scheduleSync() {
    if (this.#exiting) return;
    this.#syncTimer ??= setTimeout(() => {
      this.#syncTimer = null;
      this.#file?.sync();
    }, SYNC_MS).unref();
  }

  // While the process exits: synchronously, and once only. What can't be written now is lost, and counted.

  #writeRestNow() {
    try {
      while (this.#queue.length > 0) this.#writeBatchNow();
    } catch (error) {
      if (error instanceof FileRemoved) return this.#startOverNow();
      this.#noteTrouble(error);
      this.#loseQueue();
    }
  }

  #writeBatchNow() {
    if (this.#file?.isOpen && this.#isFull()) {
      this.#closeNow(this.#file);
      this.#file = null;
    }
    this.#file ??= this.#nameFile();
    if (!this.#file.isOpen) this.#file.openNow();
    this.#batch = this.#takeBatch();
    this.#accept(this.#file.appendNow(this.#batch.map(line => line.bytes)));
  }

  #startOverNow() {
    this.#putBack();
    this.#file = null;
    this.#writeRestNow();
  }

  #closeNow(file) {
    try {
      file?.closeNow();
    } catch (error) {
      this.#noteTrouble(error);
    }
  }

  #loseQueue() {
    this.#putBack();
    const lost = this.#queue.splice(0);
    for (const line of lost) this.#budget.give(cost(line));
    this.#listeners.onDropped(lost.length, `the process ended while they could not be written: ${this.#trouble}`);
  }

  // What both ways share.

  #isFull() {
    const { size } = this.#file;
    return size > 0 && size + this.#queue[0].bytes.length > this.#maxFileBytes;
  }

  #nameFile() {
    this.#lastStamp = Math.max(Date.now(), this.#lastStamp + 1);
    return new LineFile(path.join(this.#folder, `${this.#lastStamp}_${this.id}.jsonl.open`), this.#fs);
  }

  #takeBatch() {
    let count = 0;
    let bytes = 0;
    const room = Math.min(BATCH_BYTES, this.#maxFileBytes - this.#file.size);
    for (const line of this.#queue) {
      bytes += line.bytes.length;
      if (count > 0 && (bytes > room || count === BATCH_LINES)) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  #putBack() {
    this.#queue.unshift(...this.#batch.splice(0));
  }

  #accept(count) {
    const written = this.#batch.splice(0, count);
    this.#putBack();
    for (const line of written) this.#budget.give(cost(line));
    this.#retryMs = 0;
    this.#trouble = null;
    this.#scheduleSync();
    this.#listeners.onWritten(written.map(line => line.kind));
  }

  #noteTrouble(error) {
    this.#trouble = `${error.message ?? error} (in ${this.#folder})`;
    this.#listeners.onTrouble('writing', `Telemetry can't be written: ${this.#trouble}. It is kept in memory and tried again.`);
  }

  #refuse() {
    const cause = this.#trouble ?? 'events come faster than the disk takes them';
    const reason = `more than ${this.#budget.limit / MEGABYTE} MB were waiting: ${cause}`;
    this.#listeners.onDropped(1, reason);
    this.#listeners.onTrouble('dropping', `Telemetry is dropped, ${reason}`);
  }
}

function cost(line) {
  return line.bytes.length + LINE_OVERHEAD;
}

function isDiskFull(error) {
  return error.code === 'ENOSPC' || error.code === 'EDQUOT';
}
