// What the settings of MastraAdmin hide in telemetry, beside secrets: fields by name, and what patterns match. The same
// rules as in mastra_admin_sdk/policy/cleaning.py; the patterns were made there so that both languages read them alike.
const REDACTED = '[REDACTED]';

/** Fields of a record that are always written as they are: without them it could not be stored at all. */
export const IDS = new Set([
  'id', 'traceId', 'spanId', 'parentSpanId', 'metricId', 'scoreId', 'feedbackId', 'logId',
  'type', 'entityType', 'startTime', 'endTime', 'timestamp', 'level', 'source', 'isEvent', 'isRootSpan',
]);
/** Fields of a record that hiding by name leaves alone, as they are what the record is about; patterns apply. */
export const KEPT = new Set(['name', 'value', 'score', 'scorerName', 'scorerId', 'feedbackType']);

const HEX = /^[0-9a-f]{16}(?:[0-9a-f]{16})?$/;

export class Rules {
  #fields = new Map(); // from the last name of a path to the paths that end so
  #patterns;
  #mention = null;

  constructor({ fields = [], patterns = [] } = {}) {
    for (const field of fields) {
      const path = field.split('.');
      const last = path.at(-1);
      this.#fields.set(last, [...(this.#fields.get(last) ?? []), path]);
    }
    this.#patterns = patterns.map(pattern => new RegExp(pattern, 'gu'));
    if (fields.length > 0) this.#mention = new RegExp([...this.#fields.keys()].map(spell).join('|'), 'i');
  }

  /** Whether it matters below which names a field is. */
  get hasFields() {
    return this.#fields.size > 0;
  }

  /** Whether a field is hidden; `path` has the names above it. */
  hides(path, name, value) {
    if (this.#fields.size === 0 || value === null || value === undefined) return false;
    const here = foldName(name);
    return (this.#fields.get(here) ?? []).some(field => endsWith([...path, here], field));
  }

  /** Whether JSON in a text may have a field that is hidden. */
  isMentioned(text) {
    return this.#mention !== null && this.#mention.test(text);
  }

  text(text) {
    let clean = text;
    for (const pattern of this.#patterns) clean = clean.replace(pattern, REDACTED);
    return clean;
  }

  /** The name that a member of `copy` gets: without what patterns match; two that become the same are numbered. */
  name(key, copy) {
    if (this.#patterns.length === 0) return key;
    const clean = this.text(key);
    if (clean === key) return key;
    let free = clean;
    for (let place = 2; Object.hasOwn(copy, free); place += 1) free = `${clean} ${place}`;
    return free;
  }
}

/** An id under the name of one is no number of a telephone, whatever its digits look like. */
export function isId(key, value) {
  return IDS.has(key) && typeof value === 'string' && HEX.test(value);
}

/** The one form in which names are compared: `e-Mail`, `E_MAIL` and `email` are the same. */
export function foldName(name) {
  return name.replace(/[\0-/:-@[-`{-\x7f]+/g, '').toLowerCase();
}

function endsWith(path, field) {
  return path.length >= field.length && field.every((name, place) => path[path.length - field.length + place] === name);
}

function spell(name) {
  return [...name].map(char => char.replace(/[\\^$.*+?()[\]{}|]/, '\\$&')).join('[^A-Za-z0-9]?');
}
