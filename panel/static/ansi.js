// Terminal colours (ANSI SGR) as spans. Text goes in as text, never as HTML.

const SEQUENCE = /\x1b\[([0-9;]*)m/g;
const BASIC = ["0", "1", "2", "3", "4", "5", "6", "7"];

/** Return a fragment that shows a line of text with its colours. */
export function renderAnsi(text) {
  const fragment = document.createDocumentFragment();
  let style = {};
  let from = 0;
  for (const match of text.matchAll(SEQUENCE)) {
    addSpan(fragment, text.slice(from, match.index), style);
    style = change(style, match[1]);
    from = match.index + match[0].length;
  }
  addSpan(fragment, text.slice(from), style);
  return fragment;
}

function addSpan(fragment, text, style) {
  const clean = text.replaceAll("\x1b", "");
  if (!clean) return;
  const classes = Object.values(style).filter((value) => typeof value === "string");
  if (!Object.keys(style).length) return fragment.append(clean);
  const span = document.createElement("span");
  span.className = classes.join(" ");
  if (style.color?.css) span.style.color = style.color.css;
  if (style.ground?.css) span.style.backgroundColor = style.ground.css;
  span.textContent = clean;
  fragment.append(span);
}

function change(style, parameters) {
  const codes = parameters.split(";").map(Number);
  let next = { ...style };
  while (codes.length) next = apply(next, codes.shift(), codes);
  return next;
}

function apply(style, code, rest) {
  if (code === 0) return {};
  if (code === 1) return { ...style, weight: "bold" };
  if (code === 2) return { ...style, weight: "dim" };
  if (code === 3) return { ...style, slant: "italic" };
  if (code === 4) return { ...style, line: "underline" };
  if (code === 22) return without(style, "weight");
  if (code === 23) return without(style, "slant");
  if (code === 24) return without(style, "line");
  if (code === 39) return without(style, "color");
  if (code === 49) return without(style, "ground");
  if (code === 38 || code === 48) return applyExtended(style, code === 38 ? "color" : "ground", rest);
  return applyBasic(style, code);
}

function applyBasic(style, code) {
  const tens = Math.floor(code / 10);
  const kind = { 3: "f", 9: "F", 4: "g", 10: "G" }[tens];
  if (!kind || !BASIC.includes(String(code % 10))) return style;
  return { ...style, [kind.toLowerCase() === "f" ? "color" : "ground"]: `${kind}${code % 10}` };
}

function applyExtended(style, part, rest) {
  const mode = rest.shift();
  if (mode === 5) return { ...style, [part]: { css: pick256(rest.shift() ?? 0) } };
  if (mode === 2) return { ...style, [part]: { css: `rgb(${rest.splice(0, 3).join(" ")})` } };
  return style;
}

function pick256(index) {
  if (index >= 232) return grey(8 + (index - 232) * 10);
  if (index < 16) return `var(--a${index % 8})`;
  const level = (step) => (step ? 55 + step * 40 : 0);
  const cube = index - 16;
  return `rgb(${level(Math.floor(cube / 36))} ${level(Math.floor(cube / 6) % 6)} ${level(cube % 6)})`;
}

function grey(level) {
  return `rgb(${level} ${level} ${level})`;
}

function without(style, part) {
  const { [part]: _, ...rest } = style;
  return rest;
}
