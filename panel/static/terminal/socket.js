// A websocket that comes back: it asks where to go on each time it connects, and notices a silent death.

const SLOWEST_RETRY_MS = 8000;
const SHORTEST_WATCH_MS = 5000;

export class LogSocket {
  /**
   * @param {{pingSeconds: number, address: () => Promise<string> | string, onEvent: Function, onState: Function}} options
   * onState gets connecting, connected or disconnected; address is asked before each attempt, and may fail.
   */
  constructor(options) {
    this.options = options;
    this.failures = 0;
    this.onLine = () => this.retryNow();
    window.addEventListener("online", this.onLine);
    this.connect();
  }

  async connect() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.options.onState("connecting");
    try {
      const url = new URL(await this.options.address(), location.href);
      url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
      if (!this.finished) this.open(url);
    } catch {
      this.lose();
    }
  }

  open(url) {
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
    if (this.finished) return;
    this.drop();
    this.options.onState("disconnected");
    this.failures += 1;
    const pause = Math.min(SLOWEST_RETRY_MS, 250 * 2 ** this.failures);
    this.timer = setTimeout(() => this.connect(), pause * (0.75 + Math.random() / 2));
  }

  retryNow() {
    if (this.timer && !this.finished) this.connect();
  }

  finish() {
    this.finished = true;
    window.removeEventListener("online", this.onLine);
    this.drop();
  }

  drop() {
    clearTimeout(this.watchdog);
    clearTimeout(this.timer);
    if (!this.socket) return;
    this.socket.onclose = this.socket.onmessage = this.socket.onopen = null;
    this.socket.close();
    this.socket = null;
  }
}
