// Searching a log: the server looks through all of it; matches are counted and gone to by their line numbers.

const PAGE = 1000;
const MOST_COUNTED = 10_000;
const TYPING_MS = 250;
const AGAIN_MS = 1000;

export class Search {
  /**
   * @param {HTMLElement} bar the form
   * @param {LogSource} source
   * @param {{onPattern: Function, goTo: Function, from: () => number}} listeners
   * onPattern: what is to be marked, or null; from: the line from which the next match is looked for.
   */
  constructor(bar, source, listeners) {
    this.bar = bar;
    this.source = source;
    this.listeners = listeners;
    this.field = bar.querySelector("input[type=search]");
    this.count = bar.querySelector("[data-count]");
    this.current = 0;
    this.reset();
    this.field.addEventListener("input", () => this.startSoon());
    for (const box of bar.querySelectorAll("input[type=checkbox]")) box.addEventListener("change", () => this.start());
    bar.addEventListener("submit", (event) => this.submit(event));
    bar.addEventListener("keydown", (event) => this.press(event));
    bar.querySelector("[data-next]").addEventListener("click", () => this.step(1));
    bar.querySelector("[data-previous]").addEventListener("click", () => this.step(-1));
  }

  /** Put the cursor into the field; a text that is selected in the log is looked for. */
  focus(text = "") {
    if (text && !text.includes("\n")) {
      this.field.value = text.slice(0, 200);
      this.startSoon();
    }
    this.field.focus();
    this.field.select();
  }

  clear() {
    this.field.value = "";
    this.start();
  }

  /** The log has more lines: those are counted too, after a while. */
  notice() {
    if (!this.query || this.isCounting || this.again || this.isCut) return;
    this.again = setTimeout(() => {
      this.again = 0;
      this.countOn();
    }, AGAIN_MS);
  }

  startSoon() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.start(), TYPING_MS);
  }

  async start() {
    clearTimeout(this.typing);
    this.reset();
    this.query = this.readQuery();
    this.listeners.onPattern(this.query && makePattern(this.query));
    this.say("");
    if (!this.query) return;
    await this.countOn({ first: true });
  }

  reset() {
    this.abort?.abort();
    this.abort = new AbortController();
    clearTimeout(this.again);
    this.again = 0;
    this.query = null;
    this.numbers = [];
    this.covered = 0;
    this.isCut = this.isCounting = false;
    this.current = 0;
  }

  readQuery() {
    const q = this.field.value;
    const options = {};
    for (const box of this.bar.querySelectorAll("input[type=checkbox]")) if (box.checked) options[box.name] = "true";
    return q ? { q, ...options } : null;
  }

  /** Find all matches that aren't counted yet, page by page. */
  async countOn({ first = false } = {}) {
    const { signal } = this.abort;
    this.isCounting = true;
    this.say();
    try {
      for (let after = this.covered; after !== null && !this.isCut; ) {
        const last = this.source.last;
        const page = await this.source.search({ ...this.query, after, limit: PAGE }, signal);
        this.numbers.push(...page.lines.map((line) => line[0]));
        this.covered = page.next ?? Math.max(last, this.numbers.at(-1) ?? 0);
        this.isCut = page.next !== null && this.numbers.length >= MOST_COUNTED;
        after = page.next;
        if (first && this.numbers.length) {
          first = false;
          this.step(0);
        }
        this.say();
      }
      this.isCounting = false;
      this.say();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.isCounting = false;
      this.say(error.message);
    }
  }

  submit(event) {
    event.preventDefault();
    if (this.readQuery()?.q !== this.query?.q) this.start();
    else this.step(1);
  }

  press(event) {
    if (event.key === "Enter" && event.shiftKey) {
      event.preventDefault();
      this.step(-1);
    }
    if (event.key === "Escape" && this.field.value) {
      event.preventDefault();
      this.clear();
    }
  }

  /** Go to the next (1), the previous (-1) or the nearest match from here on (0); from the last one to the first. */
  async step(direction) {
    if (!this.query) return this.start();
    const from = this.current || this.listeners.from() - (direction < 0 ? 0 : 1);
    const found = direction < 0 ? await this.findBefore(from) : await this.findAfter(from);
    if (!found) return;
    this.current = found;
    this.listeners.goTo(found);
    this.say();
  }

  async findAfter(number) {
    const found = this.numbers.find((other) => other > number);
    if (found || !(this.isCut || this.isCounting)) return found ?? this.numbers[0];
    return (await this.ask({ after: Math.max(number, this.covered) })) ?? this.numbers[0];
  }

  async findBefore(number) {
    const found = this.numbers.findLast((other) => other < number);
    if (!(this.isCut || this.isCounting)) return found ?? this.numbers.at(-1);
    if (found && number <= this.covered) return found;
    return this.ask({ before: found ? number : Number.MAX_SAFE_INTEGER });
  }

  async ask(where) {
    const page = await this.source.search({ ...this.query, ...where, limit: 1 }, this.abort.signal).catch(() => null);
    return page?.lines[0]?.[0];
  }

  say(problem) {
    this.count.classList.toggle("bad", Boolean(problem));
    this.count.textContent = problem || this.describe();
  }

  describe() {
    if (!this.query) return "";
    const known = `${this.numbers.length.toLocaleString("en")}${this.isCut || this.isCounting ? "+" : ""}`;
    if (!this.numbers.length) return this.isCounting ? "searching…" : "nothing found";
    const place = this.numbers.indexOf(this.current);
    if (place >= 0) return `${(place + 1).toLocaleString("en")} of ${known}`;
    return `${known} ${this.numbers.length === 1 ? "line" : "lines"}`;
  }
}

function makePattern({ q, regex, case: isCase }) {
  const source = regex ? q : q.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  try {
    return new RegExp(source, isCase ? "gu" : "giu");
  } catch {
    return null; // what Python's re reads and JavaScript doesn't is found, but not marked
  }
}
