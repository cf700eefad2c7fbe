// What goes to the terminal: a line's text with its colours and nothing else that a terminal would obey.

const COLOUR = /\x1b\[[0-9;:]*m/g;
// Escape sequences, also such as are cut short, control characters of both kinds, and characters that turn text around.
const REST = /\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\|$)|[P^_X][^\x1b]*(?:\x1b\\|$)|\[[0-?]*[ -/]*[@-~]?|.)?|[\x00-\x1f\x7f-\x9f]|[\u202a-\u202e\u2066-\u2069]/g;
const RESET = "\x1b[0m";
const HIT = "\x1b[0;38;2;20;20;20;48;2;255;213;79m";

/** Return a text whose only escape sequences are colours. */
export function cleanText(text) {
  let clean = "";
  let from = 0;
  for (const match of text.matchAll(COLOUR)) {
    clean += dropRest(text.slice(from, match.index)) + match[0];
    from = match.index + match[0].length;
  }
  return clean + dropRest(text.slice(from));
}

/** Return a text as it is read: without colours. */
export function plainText(text) {
  return dropRest(text.replace(COLOUR, ""));
}

/**
 * Return a clean text in which what a pattern finds is marked; colours go on behind it.
 * @param {RegExp} pattern with the flag g
 */
export function markHits(text, pattern) {
  const hits = findHits(text.replace(COLOUR, ""), pattern);
  if (!hits.length) return text;
  let marked = "";
  let colours = "";
  let place = 0;
  let hit = 0;
  for (const part of text.split(/(\x1b\[[0-9;:]*m)/)) {
    if (part.startsWith("\x1b")) {
      colours += part;
      if (!(hits[hit] && place > hits[hit][0])) marked += part;
      continue;
    }
    let rest = part;
    while (rest) {
      while (hits[hit] && place >= hits[hit][1]) hit += 1;
      const [begin, end] = hits[hit] ?? [Infinity, Infinity];
      const inside = place >= begin;
      const piece = rest.slice(0, (inside ? end : begin) - place);
      marked += inside ? `${HIT}${piece}${RESET}${colours}` : piece;
      place += piece.length;
      rest = rest.slice(piece.length);
    }
  }
  return marked;
}

function findHits(plain, pattern) {
  return [...plain.matchAll(pattern)].filter((found) => found[0]).map((found) => [found.index, found.index + found[0].length]);
}

function dropRest(text) {
  return text.replace(REST, "");
}
