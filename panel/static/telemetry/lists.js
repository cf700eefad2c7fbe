// Lists of traces, spans and log lines: local times, exact times as filters, and live mode.

import { showLocalTimes } from "./times.js";

const LOOK_MS = 2000;
const MOST_ROWS = 1000;

showLocalTimes();
offerExactTimes();
if (document.getElementById("list")?.dataset.live === "1") goLive();

/** "From" and "To" are local times; the address has them in UTC, so that a link means the same everywhere. */
function offerExactTimes() {
  const form = document.querySelector("form.telemetry");
  for (const field of form?.querySelectorAll("[data-moment]") ?? []) {
    const given = new URLSearchParams(location.search).get(field.dataset.moment);
    const moment = given && /^\d{4}-/.test(given) ? new Date(given) : null;
    if (moment && !Number.isNaN(moment.getTime())) field.value = toLocal(moment);
  }
  form?.addEventListener("submit", () => {
    for (const field of form.querySelectorAll("[data-moment]")) setMoment(form, field);
  });
}

function toLocal(moment) {
  const shifted = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 19);
}

function setMoment(form, field) {
  const name = field.dataset.moment;
  const known = form.querySelector(`[name="${name}"]`);
  if (!field.value) {
    if (known?.type === "hidden") known.remove();
    return;
  }
  const value = new Date(field.value).toISOString().replace(/\.\d+Z$/, "Z");
  // A preset that was chosen just now counts more than the times that were there.
  if (known?.tagName === "SELECT") {
    if (known.value && !/^\d{4}-/.test(known.value)) return;
    const option = new Option(value, value, true, true);
    known.append(option);
    return;
  }
  const hidden = known ?? Object.assign(document.createElement("input"), { type: "hidden", name });
  hidden.value = value;
  form.append(hidden);
}

/** Look for newer rows again and again; they come in above, and what one reads stays where it is. */
function goLive() {
  let etag = null;
  let timer = 0;
  const look = async () => {
    clearTimeout(timer);
    try {
      const response = await fetch(location.href, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store" });
      if (response.status === 401) return location.reload();
      if (response.ok) {
        etag = response.headers.get("ETag");
        merge(new DOMParser().parseFromString(await response.text(), "text/html"));
      }
      showFeed(response.ok || response.status === 304);
    } catch {
      showFeed(false);
    }
    if (!document.hidden) timer = setTimeout(look, LOOK_MS);
  };
  document.addEventListener("visibilitychange", () => !document.hidden && look());
  look();
}

function showFeed(isThere) {
  const element = document.getElementById("feed");
  element.textContent = isThere ? "live" : "disconnected";
  element.className = `state ${isThere ? "good" : "bad"}`;
}

function merge(fresh) {
  const body = document.querySelector("#list tbody");
  const incoming = [...fresh.querySelectorAll("#list tbody tr")];
  if (!incoming.length) return;
  if (!body) {
    document.getElementById("list").replaceChildren(...fresh.getElementById("list").childNodes);
    return showLocalTimes();
  }
  const known = new Map([...body.rows].map((row) => [row.dataset.id, row]));
  const isAtTop = scrollY < 200;
  const before = document.documentElement.scrollHeight;
  let place = body.firstElementChild;
  const added = [];
  for (const row of incoming) {
    const old = known.get(row.dataset.id);
    if (old) {
      update(old, row);
      if (place === old) place = old.nextElementSibling;
    } else {
      body.insertBefore(row, place);
      added.push(row);
    }
  }
  showLocalTimes(body);
  while (body.rows.length > MOST_ROWS) body.lastElementChild.remove();
  if (known.size) for (const row of added) row.classList.add("new");
  // Browsers that anchor by themselves have moved already.
  if (added.length && !isAtTop && !CSS.supports("overflow-anchor", "auto")) scrollBy(0, document.documentElement.scrollHeight - before);
  const note = document.querySelector("#list caption");
  if (note && added.length) note.textContent = `${body.rows.length.toLocaleString("en")} shown, the newest first`;
}

/** A row that was there may have ended, or have got more spans; what is open in it stays open. */
function update(old, fresh) {
  showLocalTimes(fresh);
  if (old.innerHTML === fresh.innerHTML || old.contains(document.activeElement) || old.querySelector("details[open]")) return;
  old.replaceChildren(...fresh.childNodes);
}
