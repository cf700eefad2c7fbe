// A log on the page: the lines at one place of it, numbers beside them, following its end, keys, copying.

import { Screen, countRows } from "./screen.js";
import { Scroll } from "./scroll.js";
import { Search } from "./search.js";
import { LogSource } from "./source.js";
import { plainText } from "./text.js";
import { showToast } from "../toasts.js";

const TONES = { connecting: "wait", connected: "good", disconnected: "bad", complete: "idle", refused: "bad" };
const MOST_COPIED = 10_000;
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
    this.search = new Search(this.part("search"), this.source, {
      onPattern: (pattern) => this.setPattern(pattern),
      goTo: (number) => this.goTo(number, { mark: [number, number] }),
      from: () => Math.floor(this.scroll.place),
    });
    this.listen();
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

  /** Copy what is selected, else the marked lines, else what is seen. */
  async copy() {
    const selected = this.screen.selection;
    const [from, to] = this.marked ?? [this.shown?.[0]?.number ?? 0, this.shown?.at(-1)?.number ?? 0];
    try {
      const text = selected || (await this.readText(from, Math.min(to, from + MOST_COPIED - 1)));
      await navigator.clipboard.writeText(text);
      showToast(selected ? "Copied the selection." : `Copied ${describeLines(from, to)}.`);
    } catch {
      showToast("The browser doesn't allow copying here: select the text and press Ctrl+C.", "bad");
    }
  }

  async readText(from, to) {
    const lines = [];
    for (let after = from - 1; after < to; ) {
      const page = await this.source.fetchPage({ after, before: to + 1, limit: 1000 });
      if (!page.lines.length) break;
      lines.push(...page.lines.map((line) => `${plainText(line[3])}\n`));
      after = page.lines.at(-1)[0];
    }
    return lines.join("");
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
    this.showNumbers();
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

  showNumbers() {
    const rows = this.shown;
    while (this.gutter.childElementCount < rows.length) this.gutter.append(document.createElement("div"));
    for (const [index, element] of [...this.gutter.children].entries()) this.showNumber(element, rows[index]);
    this.showMarks(rows);
  }

  showNumber(element, row) {
    element.textContent = row?.isBegin ? row.number : "";
    element.title = row?.time ?? "";
    element.className = row ? row.stream : "";
    element.classList.toggle("marked", Boolean(row && this.marked && row.number >= this.marked[0] && row.number <= this.marked[1]));
    element.dataset.number = row?.number ?? "";
  }

  showMarks(rows) {
    const [from, to] = this.marked ?? [0, -1];
    const indexes = rows.flatMap((row, index) => (row.number >= from && row.number <= to ? [index] : []));
    const mark = this.part("mark");
    mark.hidden = !indexes.length;
    mark.style.top = `calc(var(--log-row) * ${indexes[0] ?? 0})`;
    mark.style.height = `calc(var(--log-row) * ${indexes.length})`;
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

  // --- listening -------------------------------------------------------------------------------------------------------

  listen() {
    this.part("follow").addEventListener("click", () => this.setFollowing(!this.isFollowing));
    this.part("new").addEventListener("click", () => this.setFollowing(true));
    this.part("wrap").addEventListener("click", () => this.setWrapped(!this.isWrapped));
    this.part("clear").addEventListener("click", () => this.clear());
    this.part("restore").addEventListener("click", () => this.restore());
    this.part("copy").addEventListener("click", () => this.copy());
    this.part("jump").addEventListener("submit", (event) => this.jump(event));
    this.gutter.addEventListener("click", (event) => {
      const number = Number(event.target.dataset.number);
      if (number) this.mark(number, event.shiftKey);
    });
    this.body.addEventListener("wheel", (event) => this.turnWheel(event), { capture: true, passive: false });
    this.section.addEventListener("keydown", (event) => this.press(event));
    document.addEventListener("keydown", (event) => this.pressAnywhere(event));
    window.addEventListener("hashchange", () => this.readAddress());
    document.addEventListener("themechange", () => this.changeTheme());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.changeTheme());
    new ResizeObserver(() => this.resize()).observe(this.box);
    document.fonts.ready.then(() => this.resize());
  }

  changeTheme() {
    this.screen.changeTheme();
    this.render();
  }

  jump(event) {
    event.preventDefault();
    const number = Number(event.target.elements.line.value.replaceAll(/[\s,.]/g, ""));
    if (!(number >= 1)) return;
    const line = Math.max(this.source.first, Math.min(number, this.source.last));
    this.mark(line, false);
    this.goTo(line);
    this.box.focus({ preventScroll: true });
  }

  /** A wheel turns rows, not a share of the whole log, and the page goes on at its ends as with any box. */
  turnWheel(event) {
    if (event.ctrlKey || event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return event.stopPropagation();
    const height = { 0: 1, 1: this.screen.cellHeight, 2: this.box.clientHeight }[event.deltaMode];
    event.stopPropagation();
    const rows = (event.deltaY * height) / this.screen.cellHeight;
    if ((rows < 0 && this.scroll.place <= this.first) || (rows > 0 && this.isFollowing)) return;
    event.preventDefault();
    this.moveRows(rows);
  }

  /** Move by rows of the screen: a line that is wrapped has several. */
  moveRows(rows) {
    let place = this.scroll.place;
    let rest = rows;
    const rowsOf = (number) => (this.isWrapped ? countRows(this.source.get(number), this.screen.columns) : 1);
    while (rest > 0 && place < this.scroll.end) {
      const line = Math.floor(place + 1e-9);
      const left = (line + 1 - place) * rowsOf(line);
      if (rest < left) {
        place += rest / rowsOf(line);
        break;
      }
      rest -= left;
      place = line + 1;
    }
    while (rest < 0 && place > this.first) {
      const line = Math.ceil(place - 1e-9) - 1;
      const left = (place - line) * rowsOf(line);
      if (-rest < left) {
        place += rest / rowsOf(line);
        break;
      }
      rest += left;
      place = line;
    }
    this.scroll.moveTo(place);
    this.noticeScroll();
  }

  press(event) {
    if (event.target.matches("input") || event.altKey || event.metaKey || event.ctrlKey) return;
    if (!event.target.closest("[data-log-body]")) return;
    const page = Math.max(1, this.screen.rows - 2);
    const acts = {
      ArrowDown: () => this.moveRows(1),
      ArrowUp: () => this.moveRows(-1),
      PageDown: () => this.moveRows(page),
      PageUp: () => this.moveRows(-page),
      " ": () => this.moveRows(event.shiftKey ? -page : page),
      Home: () => this.goToStart(),
      End: () => this.setFollowing(true),
      f: () => this.setFollowing(!this.isFollowing),
      w: () => this.setWrapped(!this.isWrapped),
      n: () => this.search.step(1),
      N: () => this.search.step(-1),
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  }

  goToStart() {
    this.setFollowing(false);
    this.scroll.moveTo(this.first);
    this.render();
  }

  /** The browser's own search sees the screenful that is drawn: the log's own takes its key, where the log has the focus. */
  pressAnywhere(event) {
    const isFind = event.key === "f" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
    const isIn = this.section.contains(document.activeElement) || document.activeElement === document.body;
    const isSlash = event.key === "/" && this.body.contains(document.activeElement);
    if (!(isFind && isIn) && !isSlash) return;
    event.preventDefault();
    this.search.focus(this.screen.selection);
  }
}

function readLog(section) {
  const { kind, id, query, ping } = section.dataset;
  return { kind, id, query: query ?? "", pingSeconds: Number(ping) };
}

function describeLines(from, to) {
  return from === to ? `line ${from.toLocaleString("en")}` : `lines ${from.toLocaleString("en")} to ${to.toLocaleString("en")}`;
}
