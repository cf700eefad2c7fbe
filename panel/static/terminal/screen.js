// One screenful of a log in xterm.js, which draws text, colours, wide characters and selections.
//
// The terminal holds no more than what is seen (and the rest of a wrapped line): it is written anew for each place.

import { Unicode11Addon } from "../vendor/addon-unicode11/addon-unicode11.mjs";
import { WebLinksAddon } from "../vendor/addon-web-links/addon-web-links.mjs";
import { Terminal } from "../vendor/xterm/xterm.mjs";
import { styleSpansByProperty, withConstructedSheets } from "./styles.js";
import { cleanText, markHits, plainText } from "./text.js";

const KEPT_ROWS = 2500;
const CLEAR = "\x1b[0m\x1b[H\x1b[2J\x1b[3J\x1b[?25l";
const HEAD = "\x1b[1m";
const RESET = "\x1b[0m";
const LONGEST_UNWRAPPED = 4000;

const LIGHT = {
  black: "#182030", red: "#b3261e", green: "#12703a", yellow: "#8a5a00", blue: "#1f5fd6", magenta: "#8a2fa8", cyan: "#0b6e7c", white: "#586272",
  brightBlack: "#586272", brightRed: "#c4302b", brightGreen: "#0f7a3d", brightYellow: "#8f6400", brightBlue: "#2a6ae0", brightMagenta: "#9a3cb8", brightCyan: "#0c7585", brightWhite: "#182030",
};
const DARK = {
  black: "#6c7888", red: "#ff8a80", green: "#5fce8b", yellow: "#e6b450", blue: "#86b0ff", magenta: "#d99bf0", cyan: "#5fd0df", white: "#e5e9ef",
  brightBlack: "#9aa5b4", brightRed: "#ffa79f", brightGreen: "#86e0a9", brightYellow: "#f2cb7c", brightBlue: "#a9c7ff", brightMagenta: "#e7bcf7", brightCyan: "#8ce1ec", brightWhite: "#fff",
};

export class Screen {
  /**
   * @param {HTMLElement} host where the text goes; its computed colours and font are used
   * @param {{onSelect: Function}} listeners
   */
  constructor(host, listeners) {
    styleSpansByProperty();
    this.host = host;
    const style = getComputedStyle(host);
    this.terminal = new Terminal({
      allowProposedApi: true,
      convertEol: false,
      cursorInactiveStyle: "none",
      disableStdin: true,
      fontFamily: style.fontFamily,
      fontSize: parseFloat(style.fontSize),
      lineHeight: 1.25,
      minimumContrastRatio: 4.5,
      scrollback: KEPT_ROWS,
      theme: readTheme(host),
    });
    this.terminal.loadAddon(new Unicode11Addon());
    this.terminal.unicode.activeVersion = "11";
    this.terminal.loadAddon(new WebLinksAddon((event, address) => window.open(address, "_blank", "noopener,noreferrer")));
    this.terminal.attachCustomKeyEventHandler(() => false);
    withConstructedSheets(() => this.terminal.open(host));
    // Keys are the view's, which has a stop for the tabulator key of its own.
    this.terminal.textarea.tabIndex = -1;
    this.terminal.textarea.readOnly = true;
    this.terminal.textarea.setAttribute("aria-label", "Lines of the log");
    this.terminal.onSelectionChange(() => listeners.onSelect(this.terminal.hasSelection()));
    this.measure();
  }

  get rows() {
    return this.terminal.rows;
  }

  get columns() {
    return this.terminal.cols;
  }

  get selection() {
    return this.terminal.getSelection();
  }

  clearSelection() {
    this.terminal.clearSelection();
  }

  /** Take the colours of the page anew. */
  changeTheme() {
    this.terminal.options.theme = readTheme(this.host);
  }

  /** Make it as large as a box in pixels; columns for the longest line when lines aren't wrapped. Returns whether it changed. */
  fit(width, height, longest) {
    const rows = Math.max(4, Math.floor(height / this.cellHeight));
    const fitting = Math.max(20, Math.floor(width / this.cellWidth));
    const columns = longest === null ? fitting : Math.max(fitting, Math.min(LONGEST_UNWRAPPED, longest + 1));
    if (rows === this.rows && columns === this.columns) return false;
    this.terminal.resize(columns, rows);
    return true;
  }

  measure() {
    const box = this.host.querySelector(".xterm-screen").getBoundingClientRect();
    this.cellWidth = box.width / this.columns || 8;
    this.cellHeight = box.height / this.rows || 16;
  }

  /**
   * Show lines ([number, time, stream, text], or a number alone for one that isn't here yet).
   * @param {{offset: number, atEnd: boolean, pattern: RegExp | null}} how offset: which part of the first line is left out
   * @returns {Promise<Array<{number: number, isBegin: boolean}>>} whose each row of the screen is
   */
  show(lines, { offset, atEnd, pattern }) {
    const text = lines.map((line) => format(line, pattern)).join("\r\n");
    return new Promise((resolve) => {
      this.terminal.write(CLEAR + text, () => resolve(this.settle(lines, offset, atEnd)));
    });
  }

  settle(lines, offset, atEnd) {
    const owners = this.findOwners(lines);
    const left = Math.max(0, owners.length - this.rows);
    const firstRows = owners.findIndex((owner) => owner.index > 0);
    const skipped = Math.floor(offset * (firstRows < 0 ? owners.length : firstRows));
    const top = atEnd ? left : Math.min(left, skipped);
    this.terminal.scrollToLine(top);
    return owners.slice(top, top + this.rows);
  }

  findOwners(lines) {
    const buffer = this.terminal.buffer.active;
    const owners = [];
    let index = -1;
    for (let row = 0; row <= buffer.baseY + buffer.cursorY; row += 1) {
      const isBegin = !buffer.getLine(row)?.isWrapped;
      if (isBegin) index += 1;
      const line = lines[index];
      if (line === undefined) break;
      owners.push({ index, isBegin, number: Array.isArray(line) ? line[0] : line, stream: line[2] ?? "none", time: line[1] ?? "" });
    }
    return owners;
  }
}

/** Return how many rows a line takes, about. */
export function countRows(line, columns) {
  return Array.isArray(line) ? Math.max(1, Math.ceil(plainText(line[3]).length / columns)) : 1;
}

function format(line, pattern) {
  if (!Array.isArray(line)) return "";
  const clean = cleanText(line[3]);
  const marked = pattern ? markHits(clean, pattern) : clean;
  return line[2] === "info" ? `${HEAD}${marked}${RESET}` : `${marked}${RESET}`;
}

function readTheme(host) {
  const style = getComputedStyle(host);
  const background = toHex(style.backgroundColor);
  const palette = brightness(background) < 0.5 ? DARK : LIGHT;
  const selection = palette === DARK ? "#33507f" : "#bcd3fb";
  return { ...palette, background, foreground: toHex(style.color), cursor: background, selectionBackground: selection, selectionInactiveBackground: selection };
}

function toHex(colour) {
  const [red, green, blue] = (colour.match(/[\d.]+/g) ?? [0, 0, 0]).map(Number);
  return `#${[red, green, blue].map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`;
}

function brightness(hex) {
  const [red, green, blue] = [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16) / 255);
  return 0.21 * red + 0.72 * green + 0.07 * blue;
}
