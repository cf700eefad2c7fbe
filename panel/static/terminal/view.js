// A log on the page: the lines at one place of it, numbers beside them, following its end, keys, copying.

import { listenTo } from "./controls.js";
import { Screen, countRows } from "./screen.js";
import { Rows } from "./rows.js";
import { Scroll, moveByRows } from "./scroll.js";
import { Search } from "./search.js";
import { LogSource } from "./source.js";
import { plainText } from "./text.js";

const TONES = { connecting: "wait", connected: "good", disconnected: "bad", complete: "idle", refused: "bad" };
const TOLD_MS = 400;

export class LogView {
  /** @param {HTMLElement} section what the macro log_view of log.html makes */
  constructor(section) {
    this.section = section;
    this.part = (name) => section.querySelector(`[data-log-${name}]`);
    this.body = this.part("body");
    this.box = this.part("box");
    this.gutter = this.part("gutter");
    this.isFollowing = true;
    this.isWrapped = true;
    this.floor = 0;
    this.unseen = 0;
    this.marked = null;
    this.pattern = null;
    this.longest = 0;
    this.screen = new Screen(this.part("lines"), { onSelect: (any) => any && this.setFollowing(false) });
    this.scroll = new Scroll(this.box, this.part("spacer"), () => this.noticeScroll());
    this.source = new LogSource(readLog(section), {
      onChange: () => this.noticeLines(),
      onTurn: () => this.turn(),
      onEvent: (event) => this.noticeEvent(event),
      onState: (word) => this.showState(word),
    });
    this.rows = new Rows(this.gutter, this.part("mark"));
    this.search = new Search(this.part("search"), this.source, {
      onPattern: (pattern) => this.setPattern(pattern),
      goTo: (number) => this.goTo(number, { mark: [number, number] }),
      from: () => Math.floor(this.scroll.place),
    });
    listenTo(this);
    this.readAddress();
    this.resize();
  }

  // --- what is asked of it ---------------------------------------------------------------------------------------------

  /** Follow the end of the log, or stay where it is. */
  setFollowing(on) {
    if (on) this.unseen = 0;
    this.isFollowing = on;
    if (on) this.render();
    this.showFollowing();
  }

  setWrapped(on) {
    this.isWrapped = on;
    this.longest = 0;
    this.box.scrollLeft = 0;
    this.part("wrap").setAttribute("aria-pressed", String(on));
    this.box.classList.toggle("unwrapped", !on);
    this.resize();
  }

  /** Show a line in the upper third, marked if asked. */
  goTo(number, { mark = null } = {}) {
    this.setFollowing(false);
    this.marked = mark ?? this.marked;
    if (number <= this.floor) this.restore();
    this.updateRange();
    this.scroll.moveTo(number - Math.floor(this.screen.rows / 3));
    this.render();
  }

  /** Leave out what is there so far; nothing is deleted. */
  clear() {
    this.floor = this.source.last;
    this.marked = null;
    this.part("restore").hidden = false;
    this.setFollowing(true);
  }

  restore() {
    this.floor = 0;
    this.part("restore").hidden = true;
    this.updateRange();
    this.render();
  }

  // --- what happens ----------------------------------------------------------------------------------------------------

  noticeLines() {
    const came = this.source.last - (this.seen ?? this.source.last);
    this.seen = this.source.last;
    if (!this.isFollowing && came > 0) this.unseen += came;
    this.showFollowing();
    this.search.notice();
    this.goToAddress();
    this.renderSoon();
  }

  noticeScroll() {
    const atEnd = this.scroll.isAtEnd;
    if (atEnd !== this.isFollowing) this.setFollowing(atEnd);
    this.screen.clearSelection();
    this.renderSoon();
  }

  noticeEvent(event) {
    if (event.type === "end") this.finish(event);
    if (event.type === "error") this.refuse(event.error);
    this.section.dispatchEvent(new CustomEvent("logevent", { detail: event, bubbles: true }));
  }

  finish({ build }) {
    this.showState("complete");
    this.part("note").textContent = build ? `Build #${build.number} ${build.status}; this is all of its log.` : "This is all of the log.";
  }

  refuse(error) {
    this.showState("refused");
    this.part("note").textContent = [error.message, error.hint].filter(Boolean).join(" ");
  }

  turn() {
    this.floor = this.unseen = this.seen = 0;
    this.marked = null;
    this.search.start();
    this.part("note").textContent = "Another server has started: this is its log.";
    this.setFollowing(true);
  }

  showState(word) {
    const element = this.part("state");
    if (element.textContent === word) return;
    element.textContent = word;
    element.className = `state log-state ${TONES[word]}`;
    this.section.dataset.state = word;
  }

  showFollowing() {
    const button = this.part("follow");
    button.setAttribute("aria-pressed", String(this.isFollowing));
    button.title = this.isFollowing ? "Pause (F)" : "Go to the end and follow (F)";
    const jump = this.part("new");
    jump.hidden = this.isFollowing || !this.unseen;
    jump.textContent = `${this.unseen.toLocaleString("en")} new ${this.unseen === 1 ? "line" : "lines"}`;
  }

  setPattern(pattern) {
    this.pattern = pattern;
    if (!pattern) this.marked = null;
    this.render();
  }

  // --- the address of a line -------------------------------------------------------------------------------------------

  readAddress() {
    const found = /^#L(\d{1,15})(?:-L?(\d{1,15}))?$/.exec(location.hash);
    if (!found) return;
    const from = Number(found[1]);
    const to = Number(found[2] ?? from);
    this.marked = [Math.min(from, to), Math.max(from, to)];
    this.wanted = this.marked[0];
    this.isFollowing = false;
    this.showFollowing();
    this.goToAddress();
  }

  /** Go to the line of the address as soon as it is known where the log ends. */
  goToAddress() {
    if (!this.wanted || !this.source.last) return;
    const number = this.wanted;
    this.wanted = 0;
    this.goTo(Math.max(this.source.first, Math.min(number, this.source.last)));
    this.section.scrollIntoView({ block: "nearest" });
  }

  /** Mark a line, or all up to it, and put it into the address. */
  mark(number, upTo) {
    const start = upTo && this.marked ? this.marked[0] : number;
    this.marked = [Math.min(start, number), Math.max(start, number)];
    this.setFollowing(false);
    const [from, to] = this.marked;
    history.replaceState(null, "", from === to ? `#L${from}` : `#L${from}-L${to}`);
    this.render();
  }

  // --- drawing ---------------------------------------------------------------------------------------------------------

  get first() {
    return Math.max(this.source.first, this.floor + 1, 1);
  }

  resize() {
    this.screen.measure();
    const digits = Math.max(4, String(this.source.last).length);
    if (digits !== this.digits) this.section.style.setProperty("--log-digits", digits);
    this.digits = digits;
    const width = this.box.clientWidth - this.gutter.offsetWidth - this.screen.cellWidth;
    this.screen.fit(width, this.box.clientHeight - 2, this.isWrapped ? null : this.longest);
    this.body.style.setProperty("--log-row", `${this.screen.cellHeight}px`);
    this.updateRange();
    this.render();
  }

  /** Scrolling ends where the last line is at the bottom. */
  updateRange() {
    const { last } = this.source;
    let rows = this.screen.rows;
    let line = last + 1;
    while (line > this.first && rows > 0) {
      line -= 1;
      rows -= this.isWrapped ? countRows(this.source.get(line), this.screen.columns) : 1;
    }
    if (rows < 0) line += -rows / countRows(this.source.get(line), this.screen.columns);
    this.scroll.setRange(this.first, line, this.screen.cellHeight);
    if (this.isFollowing) this.scroll.moveTo(this.scroll.end);
  }

  renderSoon() {
    if (this.timer) return;
    // Not requestAnimationFrame alone: it stands still in a hidden tab.
    const draw = () => {
      this.timer = 0;
      this.render();
    };
    this.timer = document.hidden ? setTimeout(draw, 250) : requestAnimationFrame(draw);
  }

  async render() {
    if (this.isRendering) return this.renderSoon();
    this.isRendering = true;
    try {
      if (String(this.source.last).length > this.digits) this.resize();
      this.updateRange();
      await this.draw();
    } finally {
      this.isRendering = false;
    }
  }

  async draw() {
    const atEnd = this.scroll.isAtEnd;
    const { first } = this;
    const from = Math.max(first, Math.min(Math.floor(this.scroll.place), this.source.last));
    const to = Math.min(this.source.last, from + this.screen.rows);
    this.source.want(from, to);
    const lines = this.collect(from, to);
    const offset = this.scroll.place - Math.floor(this.scroll.place);
    this.widen(lines);
    this.shown = await this.screen.show(lines, { offset, atEnd, pattern: this.pattern });
    this.rows.show(this.shown, this.marked);
    this.part("empty").hidden = lines.length > 0 || !this.source.isKnown;
    this.tellSoon();
  }

  collect(from, to) {
    const lines = [];
    if (!this.source.last || this.source.last < this.first) return lines;
    for (let number = from; number <= to; number += 1) lines.push(this.source.get(number) ?? number);
    return lines;
  }

  /** Without wrapping, the screen is as wide as the longest line that was seen. */
  widen(lines) {
    if (this.isWrapped) return;
    const longest = Math.max(0, ...lines.map((line) => (Array.isArray(line) ? plainText(line[3]).length : 0)));
    if (longest <= this.longest) return;
    this.longest = longest;
    this.screen.fit(this.box.clientWidth - this.gutter.offsetWidth, this.box.clientHeight - 2, longest);
  }

  /** The rows that are seen as plain text, for those who don't see them. */
  tellSoon() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      const numbers = [...new Set((this.shown ?? []).map((row) => row.number))];
      const lines = numbers.map((number) => plainText(this.source.get(number)?.[3] ?? ""));
      this.part("text").textContent = lines.join("\n");
    }, TOLD_MS);
  }

  /** Move by rows of the screen: a line that is wrapped has several. */
  moveRows(rows) {
    const rowsOf = (number) => (this.isWrapped ? countRows(this.source.get(number), this.screen.columns) : 1);
    this.scroll.moveTo(moveByRows(this.scroll.place, rows, rowsOf));
    this.noticeScroll();
  }

  goToStart() {
    this.setFollowing(false);
    this.scroll.moveTo(this.first);
    this.render();
  }

  changeTheme() {
    this.screen.changeTheme();
    this.render();
  }
}

function readLog(section) {
  const { kind, id, query, ping } = section.dataset;
  return { kind, id, query: query ?? "", pingSeconds: Number(ping) };
}
