// The place in a log, and a scrollbar for it. A place is the number of the line at the top, with how much of it is
// scrolled past as its fraction. The scrollbar is the browser's own, in proportion to line numbers.

// Browsers have a largest height of an element; beyond this one, a pixel is more than a pixel of text.
const MOST_PIXELS = 10_000_000;

export class Scroll {
  /**
   * @param {HTMLElement} box what scrolls
   * @param {HTMLElement} spacer what makes it as high as the log
   * @param {() => void} onMove called when a person has moved it
   */
  constructor(box, spacer, onMove) {
    this.box = box;
    this.spacer = spacer;
    this.first = 1;
    this.end = 1;
    this.place = 1;
    this.rowHeight = 16;
    this.expected = 0;
    box.addEventListener("scroll", () => this.notice(onMove), { passive: true });
  }

  get isAtEnd() {
    return this.place >= this.end - 0.01;
  }

  /** Set what can be scrolled: from the first line to the place that shows the last one at the bottom. */
  setRange(first, end, rowHeight) {
    this.first = first;
    this.end = Math.max(first, end);
    this.rowHeight = rowHeight;
    const height = Math.min(MOST_PIXELS, (this.end - first) * rowHeight) + this.box.clientHeight;
    const text = `${Math.ceil(height)}px`;
    if (this.spacer.style.height !== text) this.spacer.style.height = text;
    this.moveTo(this.place);
  }

  /** Go to a place, and the scrollbar with it. */
  moveTo(place) {
    this.place = Math.max(this.first, Math.min(this.end, place));
    const lines = this.end - this.first;
    const target = lines ? ((this.place - this.first) / lines) * this.range : 0;
    if (Math.abs(this.box.scrollTop - target) >= 1) this.box.scrollTop = target;
    this.expected = this.box.scrollTop;
  }

  get range() {
    return Math.max(0, this.box.scrollHeight - this.box.clientHeight);
  }

  notice(onMove) {
    const found = this.box.scrollTop;
    if (Math.abs(found - this.expected) < 1) return;
    this.expected = found;
    const range = this.range;
    this.place = range ? this.first + (found / range) * (this.end - this.first) : this.first;
    if (range - found <= 1) this.place = this.end;
    onMove();
  }
}

/**
 * Return the place some rows further (or back, when negative).
 * @param {(number: number) => number} rowsOf how many rows a line has
 */
export function moveByRows(place, rows, rowsOf) {
  const isBack = rows < 0;
  let rest = Math.abs(rows);
  while (rest > 1e-9) {
    const line = isBack ? Math.ceil(place - 1e-9) - 1 : Math.floor(place + 1e-9);
    if (line < 0) return 0;
    const count = rowsOf(line);
    const left = (isBack ? place - line : line + 1 - place) * count;
    if (rest < left) return place + (isBack ? -rest : rest) / count;
    rest -= left;
    place = isBack ? line : line + 1;
  }
  return place;
}
