// The overview: looks again every two seconds while it is visible.

import { refreshPage, showConnection } from "./refresh.js";
import { keepTimes } from "./times.js";

const EVERY_MS = 2000;
let timer = 0;

async function look() {
  clearTimeout(timer);
  const answered = await refreshPage();
  if (answered) showConnection("connected", "good");
  else showConnection("disconnected", "bad");
  if (!document.hidden) timer = setTimeout(look, EVERY_MS);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) look();
});
keepTimes();
look();
