// A websocket that comes back: it reconnects with the number of the last line, and notices a silent death.

const SLOWEST_RETRY_MS = 8000;
const SHORTEST_WATCH_MS = 5000;

export class LogSocket {
  /**
   * @param {{url: string, pingSeconds: number, last: () => number, onEvent: Function, onState: Function}} options
   * onState gets connecting, connected or disconnected.
   */
  constructor(options) {
    this.options = options;
    this.failures = 0;
    window.addEventListener("online", () => this.retryNow());
    this.connect();
  }

  connect() {
    clearTimeout(this.timer);
    this.options.onState("connecting");
    const url = new URL(this.options.url, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("after", this.options.last());
    this.socket = new WebSocket(url);
    this.socket.onopen = () => this.options.onState("connected");
    this.socket.onmessage = (message) => this.receive(JSON.parse(message.data));
    this.socket.onclose = () => this.lose();
    this.watch();
  }

  receive(event) {
    this.failures = 0;
    this.watch();
    if (event.type === "end" || event.type === "error") this.finish();
    this.options.onEvent(event);
  }

  /** Start the time after which silence means that nobody is there: pings should have come. */
  watch() {
    clearTimeout(this.watchdog);
    const patience = Math.max(SHORTEST_WATCH_MS, this.options.pingSeconds * 2500);
    this.watchdog = setTimeout(() => this.lose(), patience);
  }

  lose() {
    this.drop();
    this.options.onState("disconnected");
    this.failures += 1;
    const pause = Math.min(SLOWEST_RETRY_MS, 250 * 2 ** this.failures);
    this.timer = setTimeout(() => this.connect(), pause * (0.75 + Math.random() / 2));
  }

  retryNow() {
    if (this.timer && !this.finished && this.socket.readyState !== WebSocket.OPEN) this.connect();
  }

  finish() {
    this.finished = true;
    this.drop();
  }

  drop() {
    clearTimeout(this.watchdog);
    clearTimeout(this.timer);
    this.socket.onclose = this.socket.onmessage = null;
    this.socket.close();
  }
}
