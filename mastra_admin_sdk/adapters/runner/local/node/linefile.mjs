// One file of lines: `<name>.jsonl.open` while it is written, `<name>.jsonl` once it is closed.
//
// Every write names its position. That makes repeating one harmless: whatever became of a write that was under way when
// the process began to exit, or of one that a full disk cut short, writing the same lines at the same place again
// neither doubles nor tears them.
import nodeFs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

// Not O_APPEND, with which Linux ignores positions; not O_EXCL, so that an exit can repeat an open that was under way.
const FLAGS = nodeFs.constants.O_CREAT | nodeFs.constants.O_WRONLY;

export class LineFile {
  #fs;
  #fd = null;
  #inExit = false;
  #torn = false;

  /** Names the file; nothing is on disk before it is opened. `path` ends in `.open`. */
  constructor(openPath, fs = nodeFs) {
    this.path = openPath;
    this.size = 0; // up to the end of the last whole line
    this.#fs = fs;
  }

  get isOpen() {
    return this.#fd !== null;
  }

  async open() {
    await this.#call('mkdir', path.dirname(this.path), { recursive: true });
    const fd = await this.#call('open', this.path, FLAGS, 0o600);
    this.#fd ??= fd;
  }

  /** Writes `buffers`, a line each, and returns how many of them are in the file as a whole. */
  async append(buffers) {
    const written = await promisify(this.#fs.writev)(this.#fd, buffers, this.size);
    const { nlink } = await this.#call('fstat', this.#fd);
    return this.#inExit ? 0 : this.#accept(buffers, written.bytesWritten ?? written, nlink);
  }

  /** Puts what was written on the disk, for the case of a loss of power. Failures show at the next write. */
  sync() {
    if (this.isOpen) this.#fs.fdatasync(this.#fd, () => {});
  }

  /** Removes the torn line that a full disk left at the end, so that nobody reads half of one. */
  async trim() {
    await this.#call('ftruncate', this.#fd, this.size);
    this.#torn = false;
  }

  async close() {
    if (this.#torn) await this.trim();
    await this.#call('fdatasync', this.#fd);
    const fd = this.#fd;
    this.#fd = null;
    await this.#call('close', fd);
    await this.#call('rename', this.path, closedPath(this.path));
  }

  /** Lets go of a file that was removed or broke; what is wrong with it was said already. */
  abandon() {
    const fd = this.#fd;
    this.#fd = null;
    if (fd !== null && !this.#inExit) this.#fs.close(fd, () => {});
  }

  // The same without the event loop, while the process exits. Descriptors are not closed: a thread may still be writing
  // to one, and its number must not come to mean another file.

  openNow() {
    this.#inExit = true;
    this.#fs.mkdirSync(path.dirname(this.path), { recursive: true });
    this.#fd ??= this.#fs.openSync(this.path, FLAGS, 0o600);
  }

  appendNow(buffers) {
    this.#inExit = true;
    const written = this.#fs.writevSync(this.#fd, buffers, this.size);
    return this.#accept(buffers, written, this.#fs.fstatSync(this.#fd).nlink);
  }

  closeNow() {
    this.#inExit = true;
    if (!this.#fs.existsSync(this.path)) return;
    if (this.size === 0) return this.#fs.rmSync(this.path);
    if (this.#torn) this.#fs.ftruncateSync(this.#fd, this.size);
    if (this.isOpen) this.#fs.fdatasyncSync(this.#fd);
    this.#fs.renameSync(this.path, closedPath(this.path));
  }

  #accept(buffers, bytesWritten, links) {
    if (links === 0) throw new FileRemoved(this.path);
    const { lines, bytes } = countWhole(buffers, bytesWritten);
    this.size += bytes;
    this.#torn = bytesWritten > bytes;
    if (lines === 0) throw new ShortWrite(bytesWritten);
    return lines;
  }

  #call(name, ...args) {
    return promisify(this.#fs[name])(...args);
  }
}

/** Thrown when the file no longer has a name: somebody removed it, or its folder. What was written last is in no file. */
export class FileRemoved extends Error {
  constructor(file) {
    super(`${file} was removed while it was written`);
  }
}

/** Thrown when not even one line fits. Asking the kernel again would succeed again with the part that does fit. */
export class ShortWrite extends Error {
  code = 'ENOSPC';

  constructor(bytes) {
    super(`ENOSPC: only ${bytes} bytes of a line could be written`);
  }
}

function countWhole(buffers, bytesWritten) {
  let lines = 0;
  let bytes = 0;
  while (lines < buffers.length && bytes + buffers[lines].length <= bytesWritten) {
    bytes += buffers[lines].length;
    lines += 1;
  }
  return { lines, bytes };
}

function closedPath(openPath) {
  return openPath.slice(0, -'.open'.length);
}
