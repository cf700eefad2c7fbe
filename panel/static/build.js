// The page of a build: renews what the server renders as the build goes on; its log follows by itself.

import { refreshPage } from "./refresh.js";

const SLOWEST_REFRESH_MS = 1000;
let timer = 0;

function refreshSoon() {
  timer ||= setTimeout(async () => {
    timer = 0;
    await refreshPage();
  }, SLOWEST_REFRESH_MS);
}

document.addEventListener("logevent", ({ detail }) => {
  if (detail.type === "build") refreshSoon();
  // What it made and what is new in it stand below the log, outside of what is renewed.
  if (detail.type === "end") refreshPage({ force: true }).then(refreshRest);
});

async function refreshRest() {
  const response = await fetch(location.pathname, { cache: "no-store" });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("more");
  if (fresh) document.getElementById("more").replaceChildren(...fresh.childNodes);
}
