// Lines of a log by number, as far as they are held: whole pages, the least recently used go first.

const PAGE = 500;
const MOST_PAGES = 60;

export class Pages {
  #pages = new Map();

  /** Return a line ([number, time, stream, text]), or undefined when it isn't held. */
  get(number) {
    return this.#pages.get(Math.floor(number / PAGE))?.[number % PAGE];
  }

  /** Keep lines. */
  add(lines) {
    for (const line of lines) this.#touch(Math.floor(line[0] / PAGE))[line[0] % PAGE] = line;
    while (this.#pages.size > MOST_PAGES) this.#pages.delete(this.#pages.keys().next().value);
  }

  /** Return the first and last number in a range that aren't held, or null. */
  findGap(from, to) {
    let begin = from;
    let end = to;
    while (begin <= to && this.get(begin)) begin += 1;
    while (end >= begin && this.get(end)) end -= 1;
    for (let page = Math.floor(from / PAGE); page <= Math.floor(to / PAGE); page += 1) if (this.#pages.has(page)) this.#touch(page);
    return begin <= end ? [begin, end] : null;
  }

  clear() {
    this.#pages.clear();
  }

  #touch(index) {
    const page = this.#pages.get(index) ?? [];
    this.#pages.delete(index);
    this.#pages.set(index, page);
    return page;
  }
}
