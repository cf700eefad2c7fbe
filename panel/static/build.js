// The page of a build: follows its log over a websocket, and renews state and phases as they change.

import { LogView } from "./logview.js";
import { refreshPage, showConnection } from "./refresh.js";
import { LogSocket } from "./socket.js";

const TONES = { connecting: "wait", connected: "good", disconnected: "bad", complete: "idle", refused: "bad" };
const SLOWEST_REFRESH_MS = 1000;

const byId = (id) => document.getElementById(id);
const view = new LogView({ lines: byId("lines"), follow: byId("follow"), cut: byId("cut") });
let refreshTimer = 0;

function showState(word) {
  showConnection(word, TONES[word]);
  // A session that ended looks like a lost connection from here; asking for the page tells them apart.
  if (word === "disconnected") refreshSoon();
}

function refreshSoon() {
  if (refreshTimer) return;
  refreshTimer = setTimeout(async () => {
    refreshTimer = 0;
    await refreshPage();
  }, SLOWEST_REFRESH_MS);
}

function receive(event) {
  if (event.type === "log") view.add(event.lines);
  if (event.type === "build") refreshSoon();
  if (event.type === "end") finish(event.build);
  if (event.type === "error") refuse(event.error);
}

function finish(build) {
  showState("complete");
  byId("end").textContent = `Build #${build.number} ${build.status}. This is the end of its log.`;
  refreshPage();
}

function refuse(error) {
  showState("refused");
  byId("end").textContent = [error.message, error.hint].filter(Boolean).join(" ");
}

new LogSocket({
  url: byId("lines").dataset.socket,
  pingSeconds: Number(byId("lines").dataset.ping),
  last: () => view.last,
  onEvent: receive,
  onState: showState,
});
