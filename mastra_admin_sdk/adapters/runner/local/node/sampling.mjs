// Which traces are written. The choice is made by a number that is computed from the trace id, the same as in Python
// (mastra_admin_sdk/policy/sampling.py), so that all parts of a trace go or stay, whichever process they come from.
const HELD_BYTES = 4 * 1024 * 1024; // of text that waits for its trace to end
const REMEMBERED = 10_000; // traces whose fate is known, for what comes late
const SERIOUS = new Set(['error', 'fatal']);

/** A number below 2**32, evenly spread over trace ids: FNV-1a of the text, mixed. */
export function numberTrace(traceId) {
  let number = 0x811c9dc5;
  for (const byte of Buffer.from(traceId)) number = Math.imul(number ^ byte, 0x01000193) >>> 0;
  for (const [shift, factor] of [[16, 0x85ebca6b], [13, 0xc2b2ae35]]) number = Math.imul(number ^ (number >>> shift), factor) >>> 0;
  return (number ^ (number >>> 16)) >>> 0;
}

export function admits(traceId, share) {
  return share >= 1 || numberTrace(traceId) < share * 2 ** 32;
}

/**
 * Lets through what is to be written. Spans and logs go with their trace; metrics, scores and feedback always stay, as
 * totals are made from them.
 *
 * With `keepErrors` a trace outside of the share waits in memory until something in it fails, which lets all of it
 * through, or until its root ends, which leaves it out.
 */
export class Sampler {
  #share;
  #keepErrors;
  #limit;
  #onLeftOut;
  #kept = new Recent();
  #out = new Recent();
  #held = new Map(); // from a trace id to `{bytes, lines}`, in the order in which traces began
  #bytes = 0;

  /** `onLeftOut(type, isRoot)` is called for each line that will not be written. */
  constructor({ sample = 1, keepErrors = false } = {}, onLeftOut = () => {}, limit = HELD_BYTES) {
    this.#share = sample;
    this.#keepErrors = keepErrors;
    this.#onLeftOut = onLeftOut;
    this.#limit = limit;
  }

  /** Takes a record; `make()` returns its text, which `write(text)` gets at once, later, or never. */
  take({ type, event, data }, make, write) {
    const traceId = this.#share < 1 && (type === 'span' || type === 'log') && findTrace(data);
    if (!traceId || this.#kept.has(traceId) || admits(traceId, this.#share)) return write(make());
    const isRoot = type === 'span' && event === 'ended' && (data.isRootSpan === true || !data.parentSpanId);
    if (!this.#keepErrors || this.#out.has(traceId)) return this.#onLeftOut(type, isRoot);
    if (hasFailed(type, data)) {
      this.#keep(traceId);
      return write(make());
    }
    this.#hold(traceId, { type, isRoot, text: make(), write });
    if (isRoot) this.#leaveOut(traceId);
  }

  /** Lets everything through that waits: the process is about to crash, and this is what it was doing. */
  keepAll() {
    for (const traceId of [...this.#held.keys()]) this.#keep(traceId);
  }

  /** Leaves out what still waits, and counts it. */
  finish() {
    for (const traceId of [...this.#held.keys()]) this.#leaveOut(traceId);
  }

  #hold(traceId, line) {
    const trace = this.#held.get(traceId) ?? { bytes: 0, lines: [] };
    this.#held.set(traceId, trace);
    trace.lines.push(line);
    trace.bytes += line.text.length;
    this.#bytes += line.text.length;
    while (this.#bytes > this.#limit) this.#leaveOut(this.#held.keys().next().value);
  }

  #keep(traceId) {
    this.#kept.add(traceId);
    for (const { text, write } of this.#take(traceId)) write(text);
  }

  #leaveOut(traceId) {
    this.#out.add(traceId);
    for (const { type, isRoot } of this.#take(traceId)) this.#onLeftOut(type, isRoot);
  }

  #take(traceId) {
    const { bytes, lines } = this.#held.get(traceId) ?? { bytes: 0, lines: [] };
    this.#held.delete(traceId);
    this.#bytes -= bytes;
    return lines;
  }
}

/** The last few of something. */
class Recent {
  #known = new Set();

  add(name) {
    this.#known.add(name);
    if (this.#known.size > REMEMBERED) this.#known.delete(this.#known.values().next().value);
  }

  has(name) {
    return this.#known.has(name);
  }
}

function findTrace(data) {
  const traceId = data?.traceId ?? data?.correlationContext?.traceId;
  return typeof traceId === 'string' && traceId;
}

function hasFailed(type, data) {
  return type === 'span' ? Boolean(data.errorInfo) : SERIOUS.has(data.level);
}
