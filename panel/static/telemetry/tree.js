// A tree of spans with a bar each. Only the rows that are in sight are in the page, so ten thousand are as quick as ten.

const ROW_HEIGHT = 28;
const SPARE_ROWS = 8;
const MOST_INDENT = 24;
const STEP = 14;
const OPEN_UP_TO = 200;
const SVG = "http://www.w3.org/2000/svg";

export class SpanTree {
  /**
   * @param {HTMLElement} box the element with role=tree; it scrolls
   * @param {(id: string) => void} onChoose called when another span is chosen
   */
  constructor(box, onChoose) {
    this.box = box;
    this.onChoose = onChoose;
    this.rows = [];
    this.byId = new Map();
    this.folded = new Set();
    this.seen = new Set();
    this.chosen = null;
    this.wanted = "";
    this.canvas = document.createElement("div");
    this.canvas.className = "canvas";
    this.canvas.setAttribute("role", "presentation");
    box.addEventListener("scroll", () => this.draw(), { passive: true });
    box.addEventListener("keydown", (event) => this.press(event));
    box.addEventListener("click", (event) => this.click(event));
    new ResizeObserver(() => this.draw()).observe(box);
  }

  /** Show rows as the server sends them: each before what is below it. */
  show(data, chosen) {
    this.rows = data.rows.map((values, index) => ({ ...Object.fromEntries(data.fields.map((name, place) => [name, values[place]])), index }));
    this.end = data.end_ms || 1;
    this.byId = new Map(this.rows.map((row) => [row.id, row]));
    setParents(this.rows);
    this.foldNew();
    if (!this.canvas.isConnected) this.box.replaceChildren(this.canvas);
    this.showAxis();
    this.chosen = this.byId.has(chosen) ? chosen : this.rows[0]?.id;
    this.unfoldTo(this.chosen);
    this.arrange();
    this.reveal(this.chosen);
  }

  has(id) {
    return this.byId.has(id);
  }

  /** Choose a span: it comes into sight. */
  choose(id) {
    if (!this.byId.has(id)) return;
    this.unfoldTo(id);
    this.arrange();
    this.select(id);
  }

  /** Look for spans by a text; return how many there are. What leads to them stays in sight. */
  find(text) {
    this.wanted = text.trim().toLowerCase();
    const hits = this.wanted ? this.rows.filter((row) => this.matches(row)) : [];
    this.shown = this.wanted ? new Set(hits.flatMap((row) => listLine(row))) : null;
    this.box.scrollTop = 0;
    this.arrange();
    return hits.length;
  }

  matches(row) {
    return !this.wanted || `${row.name} ${row.type} ${row.status} ${row.facts}`.toLowerCase().includes(this.wanted);
  }

  /** Choose the next span that a test is true for, from the first again after the last. */
  chooseNext(test) {
    const start = (this.byId.get(this.chosen)?.index ?? -1) + 1;
    const order = [...this.rows.slice(start), ...this.rows.slice(0, start)];
    const next = order.find(test);
    if (next) this.choose(next.id);
  }

  foldAll(isFolded) {
    this.folded = new Set(isFolded ? this.rows.filter((row) => row.children).map((row) => row.id) : []);
    if (isFolded) this.select(this.visibleLine(this.chosen), { quiet: true });
    this.arrange();
    this.reveal(this.chosen);
  }

  /** Of a large trace, only what leads to failures is open at first. */
  foldNew() {
    const isLarge = this.rows.length > OPEN_UP_TO;
    for (const row of this.rows) {
      if (!this.seen.has(row.id) && isLarge && row.children && row.depth > 0 && !row.errors) this.folded.add(row.id);
      this.seen.add(row.id);
    }
  }

  unfoldTo(id) {
    for (let row = this.byId.get(id)?.parent; row; row = row.parent) this.folded.delete(row.id);
  }

  visibleLine(id) {
    const line = listLine(this.byId.get(id) ?? this.rows[0]).map((each) => this.byId.get(each)).reverse();
    return (line.find((row) => this.folded.has(row.id)) ?? line.at(-1)).id;
  }

  /** Work out which rows are in the list at the moment. */
  arrange() {
    this.visible = [];
    let hiddenBelow = Infinity;
    for (const row of this.rows) {
      if (row.depth > hiddenBelow) continue;
      hiddenBelow = Infinity;
      if (this.shown && !this.shown.has(row.id)) continue;
      this.visible.push(row);
      if (this.folded.has(row.id) && !this.shown) hiddenBelow = row.depth;
    }
    this.places = new Map(this.visible.map((row, place) => [row.id, place]));
    this.canvas.style.height = `${this.visible.length * ROW_HEIGHT}px`;
    this.draw(true);
  }

  draw(isNew = false) {
    if (!this.visible) return;
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW_HEIGHT) - SPARE_ROWS);
    const last = Math.min(this.visible.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / ROW_HEIGHT) + SPARE_ROWS);
    if (!isNew && first === this.first && last === this.last) return;
    [this.first, this.last] = [first, last];
    this.canvas.replaceChildren(...this.visible.slice(first, last).map((row, place) => this.makeRow(row, first + place)));
    this.mark();
  }

  makeRow(row, place) {
    const line = make("div", `line ${row.status}`);
    line.id = `span-${row.id}`;
    line.dataset.id = row.id;
    line.style.transform = `translateY(${place * ROW_HEIGHT}px)`;
    for (const [name, value] of Object.entries(this.describe(row, place))) line.setAttribute(name, value);
    const label = make("span", "label");
    label.style.paddingLeft = `${Math.min(row.depth, MOST_INDENT) * STEP}px`;
    const caret = make("span", "caret", row.children ? (this.folded.has(row.id) && !this.shown ? "▸" : "▾") : "·");
    if (row.children) caret.dataset.fold = row.id;
    label.append(caret, make("bdi", "name", row.name));
    if (row.status === "error") label.append(make("b", "word", "error"));
    if (row.children && this.folded.has(row.id) && row.errors) label.append(make("b", "word", `${row.errors} failed inside`));
    if (row.facts) label.append(make("small", "", row.facts));
    label.title = row.name;
    line.append(label, this.makeBar(row), make("span", "time number", row.time));
    return line;
  }

  describe(row, place) {
    const facts = { role: "treeitem", "aria-level": row.depth + 1, "aria-posinset": place + 1, "aria-setsize": this.visible.length };
    if (row.children) facts["aria-expanded"] = this.folded.has(row.id) && !this.shown ? "false" : "true";
    facts["aria-selected"] = row.id === this.chosen ? "true" : "false";
    facts["aria-label"] = `${row.name}, ${row.type}, ${row.status}, ${row.time}`;
    return facts;
  }

  makeBar(row) {
    const bar = document.createElementNS(SVG, "svg");
    bar.setAttribute("class", "bar");
    bar.setAttribute("aria-hidden", "true");
    const rect = document.createElementNS(SVG, "rect");
    const length = row.duration_ms === null ? this.end - row.start_ms : row.duration_ms;
    const width = Math.max((100 * length) / this.end, 0.4);
    rect.setAttribute("x", `${Math.min((100 * row.start_ms) / this.end, 100 - width)}%`);
    rect.setAttribute("width", `${width}%`);
    rect.setAttribute("height", "10");
    rect.setAttribute("rx", "2");
    bar.append(rect);
    return bar;
  }

  showAxis() {
    const ticks = document.querySelectorAll(".waterfall .ticks span");
    ticks.forEach((tick, place) => (tick.textContent = formatMs((this.end * place) / 2)));
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.visible?.length) return;
    const place = this.places.get(this.chosen) ?? 0;
    const page = Math.max(1, Math.floor(this.box.clientHeight / ROW_HEIGHT) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) this.select(this.visible[clamp(place + steps[event.key], this.visible.length)].id);
    else if (event.key === "ArrowRight" || event.key === "ArrowLeft") this.foldOrMove(this.visible[place], event.key === "ArrowRight");
    else if (event.key === "Enter" || event.key === " ") this.toggle(this.chosen);
    else return;
    event.preventDefault();
  }

  foldOrMove(row, isRight) {
    const isOpen = row.children && !this.folded.has(row.id);
    if (isRight && row.children && !isOpen) return this.toggle(row.id);
    if (isRight && isOpen) return this.select(this.visible[clamp(this.places.get(row.id) + 1, this.visible.length)].id);
    if (!isRight && isOpen) return this.toggle(row.id);
    if (!isRight && row.parent) this.select(row.parent.id);
  }

  toggle(id) {
    if (!this.byId.get(id)?.children) return;
    if (!this.folded.delete(id)) this.folded.add(id);
    this.arrange();
  }

  click(event) {
    const fold = event.target.closest("[data-fold]");
    if (fold) return this.toggle(fold.dataset.fold);
    const line = event.target.closest(".line");
    if (line) this.select(line.dataset.id);
  }

  select(id, { quiet = false } = {}) {
    const isNew = id !== this.chosen;
    this.chosen = id;
    this.reveal(id);
    this.mark();
    if (isNew && !quiet) this.onChoose(id);
  }

  mark() {
    for (const line of this.canvas.children) line.setAttribute("aria-selected", line.dataset.id === this.chosen ? "true" : "false");
    const isThere = [...this.canvas.children].some((line) => line.dataset.id === this.chosen);
    if (isThere) this.box.setAttribute("aria-activedescendant", `span-${this.chosen}`);
    else this.box.removeAttribute("aria-activedescendant");
  }

  reveal(id) {
    const top = (this.places?.get(id) ?? 0) * ROW_HEIGHT;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + ROW_HEIGHT > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + ROW_HEIGHT - this.box.clientHeight;
    this.draw();
  }
}

function setParents(rows) {
  const line = [];
  for (const row of rows) {
    row.parent = row.depth ? line[row.depth - 1] : null;
    line[row.depth] = row;
  }
}

function listLine(row) {
  const ids = [];
  for (let each = row; each; each = each.parent) ids.push(each.id);
  return ids;
}

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function clamp(place, length) {
  return Math.min(Math.max(place, 0), length - 1);
}

function formatMs(ms) {
  if (ms === 0) return "0";
  if (ms < 1) return `${(ms * 1000).toFixed(0)} µs`;
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  if (ms < 60_000) return `${Number((ms / 1000).toPrecision(3))} s`;
  return `${Number((ms / 60_000).toPrecision(3))} min`;
}
