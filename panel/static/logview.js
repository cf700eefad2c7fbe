// The lines of a log on the page: numbered, coloured, followed to the end unless the reader scrolls away.

import { renderAnsi } from "./ansi.js";

const MOST_LINES = 10000;
const NEAR_END = 24;

export class LogView {
  /** @param {{lines: HTMLElement, follow: HTMLElement, cut: HTMLElement}} parts */
  constructor(parts) {
    this.parts = parts;
    this.last = 0;
    this.waiting = [];
    this.following = true;
    parts.lines.addEventListener("scroll", () => this.noticeScroll(), { passive: true });
    parts.follow.addEventListener("click", () => this.setFollowing(!this.following));
  }

  /** Add lines ([number, time, stream, text]); those that are there already are passed over. */
  add(lines) {
    for (const line of lines) {
      if (line[0] <= this.last) continue;
      this.last = line[0];
      this.waiting.push(line);
    }
    // Not requestAnimationFrame alone: it stands still in a hidden tab, and the lines would pile up.
    if (this.waiting.length && !this.timer) this.timer = setTimeout(() => this.show(), 16);
  }

  show() {
    this.timer = 0;
    const fragment = document.createDocumentFragment();
    for (const line of this.waiting.slice(-MOST_LINES)) fragment.append(makeLine(line));
    const cut = this.waiting.length > MOST_LINES;
    this.waiting = [];
    this.parts.lines.append(fragment);
    this.trim(cut);
    if (this.following) this.scrollToEnd();
  }

  trim(cut) {
    const box = this.parts.lines;
    const surplus = box.childElementCount - MOST_LINES;
    for (let index = 0; index < surplus; index += 1) box.firstElementChild.remove();
    if (cut || surplus > 0) this.parts.cut.hidden = false;
  }

  noticeScroll() {
    const box = this.parts.lines;
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END;
    if (atEnd !== this.following) this.setFollowing(atEnd);
  }

  setFollowing(on) {
    this.following = on;
    this.parts.follow.setAttribute("aria-pressed", String(on));
    if (on) this.scrollToEnd();
  }

  scrollToEnd() {
    this.parts.lines.scrollTop = this.parts.lines.scrollHeight;
  }
}

function makeLine([number, time, stream, text]) {
  const line = document.createElement("div");
  line.className = `line ${stream}`;
  line.dataset.number = number;
  line.title = time;
  // A pseudo-element shows the number, so that copied text is the log alone.
  const body = document.createElement("span");
  body.append(renderAnsi(text));
  line.append(body);
  return line;
}
