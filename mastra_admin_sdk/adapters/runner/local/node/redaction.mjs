// Turns any value into one that JSON can hold, is of bounded size, and shows no secret. What is redacted: the value of a
// field whose name says it is secret, wherever it is (nested objects, Maps, headers in pairs, JSON inside of strings,
// `password=…` in a text), bearer tokens, passwords in addresses, and the values of secret environment variables.
// What is cut, always with a mark that says so: strings, lists, depth, and a whole line at about a million characters.
import { IDS, KEPT, Rules, foldName, isId } from './rules.mjs';

const REDACTED = '[REDACTED]';

/** How much of a value is kept. */
export const LIMITS = { stringLength: 256 * 1024, listLength: 10_000, depth: 32, lineLength: 1_000_000 };

const NAME_COST = 8; // quotes, colon, comma and what else JSON needs for a member
const SHORTEST_SECRET = 6; // a shorter value would be found in innocent text
const SHORTEST_LINE = 8; // of a value of several lines; a shorter one is looked for alone unless it is only a word

/** Copies values for one line at a time. `secrets` are values that must appear nowhere, `rules` say what else mustn't. */
export class Redactor {
  #secrets;
  #rules;

  constructor(secrets = [], rules = new Rules()) {
    this.#secrets = secretPattern(secrets);
    this.#rules = rules;
  }

  /** Returns a copy of `value` for JSON.stringify; undefined for what JSON leaves out. */
  copy(value, limits = LIMITS) {
    return new Copier(this, this.#rules, limits).copy(value, 0);
  }

  /** Returns a copy of a line's `data`, in which what the store needs stays as it is. */
  copyRecord(data) {
    return new Copier(this, this.#rules, LIMITS).copyRecord(data);
  }

  /** Returns `text` without the secrets in it. */
  text(text) {
    const clean = this.withoutValues(text);
    const suspicious = SUSPICIOUS.test(clean);
    if (!suspicious && !this.#rules.isMentioned(clean)) return this.#rules.text(clean);
    return redactJson(clean, this) ?? this.#rules.text(suspicious ? redactPatterns(clean) : clean);
  }

  withoutValues(text) {
    return this.#secrets ? text.replace(this.#secrets, REDACTED) : text;
  }
}

class Copier {
  #redactor;
  #rules;
  #limits;
  #left;
  #ancestors = new Set();
  #path = [];

  constructor(redactor, rules, limits) {
    this.#redactor = redactor;
    this.#rules = rules;
    this.#limits = limits;
    this.#left = limits.lineLength;
  }

  copyRecord(data) {
    if (data === null || typeof data !== 'object' || Array.isArray(data) || typeof data.toJSON === 'function') return this.copy(data, 0);
    this.#ancestors.add(data);
    return this.#members(Object.keys(data).map(key => [key, () => data[key]]), 0, true);
  }

  copy(value, depth) {
    switch (typeof value) {
      case 'string':
        return this.#string(value);
      case 'number':
        this.#left -= NAME_COST;
        return Number.isFinite(value) ? value : String(value);
      case 'boolean':
        return value;
      case 'bigint':
      case 'symbol':
        return this.#string(String(value));
      case 'object':
        return value === null ? null : this.#object(value, depth);
      default:
        return undefined;
    }
  }

  #string(text) {
    const length = Math.max(0, Math.min(this.#limits.stringLength, this.#left));
    const near = text.length > length * 2 ? cut(text, length * 2) : text;
    const clean = this.#redactor.text(near); // before it is cut: half of a secret is one still
    this.#left -= Math.min(clean.length, length);
    if (near === text && clean.length <= length) return clean;
    return `${cut(clean, length)}… [${text.length - length} characters cut]`;
  }

  #object(value, depth) {
    if (this.#left <= 0) return '[cut: the line is too long]';
    if (depth >= this.#limits.depth) return '[cut: nested too deep]';
    if (this.#ancestors.has(value)) return '[circular]';
    this.#ancestors.add(value);
    try {
      return this.#convert(value, depth);
    } catch (error) {
      return `[unreadable: ${this.#string(String(error?.message ?? error))}]`;
    } finally {
      this.#ancestors.delete(value);
    }
  }

  #convert(value, depth) {
    if (Array.isArray(value)) return this.#list(value, depth);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
    if (value instanceof Error) return this.#members(errorMembers(value), depth);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
    if (value instanceof Set) return this.#list([...value], depth);
    if (value instanceof Map || isPairs(value)) return this.#members(stringKeys(value), depth);
    if (typeof value.toJSON === 'function') return this.copy(value.toJSON(), depth + 1);
    return this.#members(Object.keys(value).map(key => [key, () => value[key]]), depth);
  }

  #list(values, depth) {
    if (this.#isHiddenPair(values)) return [this.copy(values[0], depth + 1), REDACTED];
    const kept = values.slice(0, this.#limits.listLength);
    const copies = [];
    for (const value of kept) {
      if (this.#left <= 0) break;
      this.#left -= 1;
      copies.push(this.copy(value, depth + 1) ?? null);
    }
    if (copies.length < values.length) copies.push(`[${values.length - copies.length} more cut]`);
    return copies;
  }

  /** `members` are pairs of a name and a function that reads the value, which may throw. */
  #members(members, depth, isRecord = false) {
    const copy = {};
    const named = !isRecord && this.#isHiddenByName(members);
    for (const [key, read] of members) {
      if (this.#left <= 0) {
        copy['[cut]'] = 'the line is too long';
        break;
      }
      this.#left -= key.length + NAME_COST;
      const value = this.#member(key, read, depth, named, isRecord);
      const name = this.#rules.name(key, copy);
      if (key === '__proto__') Object.defineProperty(copy, key, { value, enumerable: true });
      else if (value !== undefined) copy[name] = value;
    }
    return copy;
  }

  #member(key, read, depth, named, isRecord) {
    let value;
    try {
      value = read();
    } catch (error) {
      return `[unreadable: ${error?.message ?? error}]`;
    }
    if (typeof value === 'string' && (isId(key, value) || (isRecord && IDS.has(key)))) return this.#redactor.withoutValues(value);
    if (named && key === 'value') return REDACTED;
    return !(isRecord && KEPT.has(key)) && this.#hides(key, value) ? REDACTED : this.#copyBelow(key, value, depth);
  }

  #copyBelow(key, value, depth) {
    if (!this.#rules.hasFields) return this.copy(value, depth + 1);
    this.#path.push(foldName(key));
    const copy = this.copy(value, depth + 1);
    this.#path.pop();
    return copy;
  }

  #hides(key, value) {
    return hides(key, value) || this.#rules.hides(this.#path, key, value);
  }

  /** A header in a list of pairs: `["authorization", "Bearer …"]`. */
  #isHiddenPair(values) {
    return values.length === 2 && typeof values[0] === 'string' && typeof values[1] === 'string' && this.#hides(values[0], values[1]);
  }

  /** A header or variable as an object: `{name: "authorization", value: "Bearer …"}`. */
  #isHiddenByName(members) {
    if (members.length > 4 || !members.some(([key]) => key === 'value')) return false;
    const name = members.find(([key]) => key === 'name' || key === 'key');
    if (!name) return false;
    try {
      const text = name[1]();
      return typeof text === 'string' && (isSecretName(text) || this.#rules.hides(this.#path, text, true));
    } catch {
      return false; // it is unreadable for the copy as well, which says so
    }
  }
}

function cut(text, length) {
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length); // not between the halves of a character
}

function errorMembers(error) {
  const names = new Set(['name', 'message', 'stack', ...Object.keys(error)]);
  if (error.cause !== undefined) names.add('cause');
  return [...names].map(name => [name, () => error[name]]);
}

/** Headers, FormData and URLSearchParams hold pairs that are no members. */
function isPairs(value) {
  return [globalThis.Headers, globalThis.FormData, globalThis.URLSearchParams].some(type => type && value instanceof type);
}

function stringKeys(pairs) {
  return [...pairs].map(([key, value]) => [typeof key === 'object' ? JSON.stringify(key) : String(key), () => value]);
}

// Names of fields.

const SECRET_NAME =
  /(?:api_?key|api_?secret|passw(?:or)?d|passphrase|secret|secret_?key|authorization|private_?key|access_?key|signing_?key|encryption_?key|credential|cookie|bearer|_pwd|^pwd|_jwt|^jwt|^auth|token)s?\d*$|^passw(?:or)?d/;
const TOKENS = /tokens\d*$/; // mostly of a model's usage: inputTokens, maxTokens, tokens
const SECRET_TOKENS = /(?:access|refresh|auth|id|session|bearer|api|csrf|security)_?tokens\d*$/;
const OTHER_TOKEN = /(?:per|first|last|next|stop|eos|bos|pad|unk|mask|start|end|special)_?token\d*$/;
const known = new Map();

/** Whether a field of this name holds a secret: apiKey, API-KEY, x-api-key, accessToken; but not inputTokens. */
export function isSecretName(name) {
  let secret = known.get(name);
  if (secret === undefined) {
    secret = judgeName(name);
    if (known.size < 10_000) known.set(name, secret);
  }
  return secret;
}

function judgeName(name) {
  if (name.length > 200) return false;
  const snake = name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/[^A-Za-z0-9]+/g, '_').replace(/_+$/, '').toLowerCase();
  if (TOKENS.test(snake)) return SECRET_TOKENS.test(snake);
  return SECRET_NAME.test(snake) && !OTHER_TOKEN.test(snake);
}

/** Whether this value of this field must not be shown. Counts and prices named after a token may be; so may nothing. */
function hides(name, value) {
  if (value === null || value === undefined || value === '' || typeof value === 'boolean') return false;
  if (typeof value === 'number' && /.token\d*$/i.test(name)) return false;
  return isSecretName(name);
}

// Secrets inside of texts.

const WORDS = 'key|passw(?:or)?d|passphrase|pwd|secret|token|authorization|credential|cookie|bearer|jwt';
const SUSPICIOUS = new RegExp(`${WORDS}|:\\/\\/[^\\s/]*@`, 'i');
const SEPARATOR = String.raw`\\*["'\x60]?\s{0,8}(?:=>|[:=])\s{0,8}`;
const ASSIGNED = new RegExp(`(?:${WORDS})s?\\d*${SEPARATOR}`, 'i'); // cheap, and rarely true of a text in a human language
const NAME = String.raw`(?<![\w-])([\w-]{0,40}?(?:${WORDS})s?\d*)`;
const QUOTED = String.raw`(\\*["'\x60])([\s\S]{0,8192}?)(?:(?<!\\)\3|$)`;
const SCHEME = String.raw`(?:Bearer|Basic|Digest|Token|ApiKey)\s{1,4}[^\s"'\x60,;]+`;
const BARE = String.raw`\\*["'\x60]?[^\s"'\x60,;&(){}[\]\\]+`; // the quote is one that never ends
const ASSIGNMENT = new RegExp(`${NAME}(${SEPARATOR})(?:${QUOTED}|(${SCHEME}|${BARE}))`, 'gi');
const BEARER = /\b(Bearer)\s{1,4}(?=[^\s"']{0,64}\d)[\w.~+/=-]{8,}/gi;
const ADDRESS = /(\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/@]{0,128}:)[^\s/@]{1,256}@/gi;

function redactPatterns(text) {
  const assigned = ASSIGNED.test(text) ? text.replace(ASSIGNMENT, redactAssignment) : text;
  return assigned.replace(BEARER, `$1 ${REDACTED}`).replace(ADDRESS, `$1${REDACTED}@`);
}

function redactAssignment(match, name, separator, quote, quoted, bare) {
  const value = quoted ?? bare;
  const literal = quote === undefined && /^(?:null|undefined|true|false)$/.test(value);
  const number = quote === undefined && value !== '' && Number.isFinite(Number(value)) ? Number(value) : value;
  if (literal || value === REDACTED || !hides(name, number)) return match;
  return quote === undefined ? `${name}${separator}${REDACTED}` : `${name}${separator}${quote}${REDACTED}${quote}`;
}

/** JSON inside of a string is redacted as what it is; undefined when it is no JSON, the same text when it held nothing. */
function redactJson(text, redactor) {
  if (!/^\s*[[{]/.test(text) || !/[\]}]\s*$/.test(text)) return undefined;
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const unlimited = { stringLength: Infinity, listLength: Infinity, depth: 100, lineLength: Infinity };
  const clean = JSON.stringify(redactor.copy(value, unlimited));
  return clean === JSON.stringify(value) ? text : clean;
}

function secretPattern(secrets) {
  const parts = secrets.flatMap(secret => [secret, ...tellingLines(secret)]);
  const forms = parts.filter(part => part.length >= SHORTEST_SECRET).flatMap(spellings);
  const longestFirst = [...new Set(forms)].sort((one, other) => other.length - one.length);
  const escaped = longestFirst.map(form => form.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return escaped.length > 0 ? new RegExp(escaped.join('|'), 'g') : null;
}

/** The lines of a longer value that innocent text doesn't hold by chance. */
function tellingLines(secret) {
  const lines = secret.split(/\r\n|[\r\n]/).map(line => line.trim());
  return lines.length < 2 ? [] : lines.filter(line => line.length >= SHORTEST_LINE || !isWord(line));
}

function isWord(line) {
  return /^[!-/:-@[-`{-~]*\p{L}*[!-/:-@[-`{-~]*$/u.test(line);
}

function spellings(secret) {
  const base64 = Buffer.from(secret).toString('base64').replace(/=+$/, '');
  return [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), base64];
}
