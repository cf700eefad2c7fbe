// A log on the server: any lines by number over HTTP, new ones over the websocket, without gap or duplicate.

import { Pages } from "./pages.js";
import { LogSocket } from "./socket.js";

const FETCHED = 500;
const MOST_CAUGHT_UP = 5000;

export class LogSource {
  /**
   * @param {{kind: string, id: string, query: string, pingSeconds: number}} log
   * @param {{onChange: Function, onTurn: Function, onState: Function, onEvent: Function}} listeners
   * onChange: lines came, or the ends have moved; onTurn: the log is that of another server now.
   */
  constructor(log, listeners) {
    this.log = log;
    this.listeners = listeners;
    this.pages = new Pages();
    this.first = 0;
    this.last = 0;
    this.place = "";
    this.isKnown = false;
    this.fetching = null;
    this.socket = new LogSocket({
      pingSeconds: log.pingSeconds,
      address: () => this.prepare(),
      onEvent: (event) => this.receive(event),
      onState: (word) => listeners.onState(word),
    });
  }

  /** Return the address of something about the log in the API. */
  addressOf(path, parameters = {}) {
    const url = new URL(`/api/${this.log.kind}/${this.log.id}/${path}`, location.href);
    const given = { ...Object.fromEntries(new URLSearchParams(this.log.query)), ...parameters };
    if (this.place) given.process = this.place;
    for (const [name, value] of Object.entries(given)) url.searchParams.set(name, value);
    return url;
  }

  get(number) {
    return this.pages.get(number);
  }

  /** Have lines fetched that are to be shown; onChange says when they are there. What was asked before is given up. */
  async want(from, to) {
    const gap = this.pages.findGap(Math.max(from, this.first), Math.min(to, this.last));
    if (!gap || (this.fetching && this.fetching.from <= gap[0] && gap[0] <= this.fetching.to)) return;
    this.fetching?.abort.abort();
    const margin = Math.floor((FETCHED - (gap[1] - gap[0])) / 2);
    const begin = Math.max(this.first, gap[0] - Math.max(0, margin));
    const request = { from: begin, to: begin + FETCHED, abort: new AbortController() };
    this.fetching = request;
    try {
      const page = await this.fetchPage({ after: begin - 1, limit: FETCHED }, request.abort.signal);
      this.fillHoles(begin, page.lines, request);
      this.pages.add(page.lines);
    } catch (error) {
      if (error.name !== "AbortError") console.debug("Lines could not be fetched:", error.message);
    } finally {
      if (this.fetching === request) this.fetching = null;
    }
    if (!request.abort.signal.aborted) this.listeners.onChange();
  }

  /** Fetch lines: at most `limit` after or before a number. */
  fetchPage(parameters, signal) {
    return this.ask("logs", parameters, signal);
  }

  /** Fetch lines that hold a text. */
  search(parameters, signal) {
    return this.ask("logs/search", parameters, signal);
  }

  close() {
    this.fetching?.abort.abort();
    this.socket.finish();
  }

  async ask(path, parameters, signal) {
    const response = await fetch(this.addressOf(path, parameters), { headers: { Accept: "application/json" }, signal, cache: "no-store" });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw Object.assign(new Error(answer.error?.message ?? `the panel answered ${response.status}`), answer.error);
    return answer;
  }

  /** Before connecting: look where the log's ends are. What was missed meanwhile comes over the websocket, if it isn't much. */
  async prepare() {
    await this.lookAtEnds();
    return this.addressOf("logs/ws", { after: this.last });
  }

  async lookAtEnds() {
    const page = this.isKnown
      ? await this.fetchPage({ after: this.last, limit: 1 })
      : await this.fetchPage({ before: Number.MAX_SAFE_INTEGER, limit: FETCHED });
    if (this.log.kind === "deployments" && !this.place) this.place = page.process ?? "";
    this.first = page.first;
    if (!this.isKnown || page.last - this.last > MOST_CAUGHT_UP) {
      this.last = page.last;
      this.pages.add(page.lines);
    }
    this.isKnown = true;
    this.listeners.onChange();
  }

  receive(event) {
    if (event.type === "log") this.take(event.lines);
    if (event.type === "server" && this.log.kind === "deployments") this.turnTo(event.server?.id ?? "");
    this.listeners.onEvent(event);
  }

  take(lines) {
    const fresh = lines.filter((line) => line[0] > this.last);
    if (!fresh.length) return;
    if (!this.first) this.first = fresh[0][0];
    this.last = fresh.at(-1)[0];
    this.pages.add(fresh);
    this.listeners.onChange();
  }

  /** Each server of a deployment has a log of its own, with numbers of its own. */
  async turnTo(place) {
    if (!place || place === this.place) return;
    const isAnother = this.place !== "";
    this.place = place;
    this.pages.clear();
    this.first = this.last = 0;
    if (isAnother) this.listeners.onTurn();
    const page = await this.fetchPage({ after: 0, limit: 1 }).catch(() => ({ first: 0 }));
    if (place === this.place && page.first) this.first = page.first;
    this.listeners.onChange();
  }

  /** Numbers leave out a line that could not be written: it is shown as an empty one. */
  fillHoles(begin, lines, request) {
    let number = begin;
    for (const line of lines) {
      for (; number < line[0]; number += 1) this.pages.add([[number, "", "none", ""]]);
      number = line[0] + 1;
    }
    request.to = number - 1;
  }
}
