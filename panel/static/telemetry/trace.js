// The page of a trace: the waterfall and what stands beside it.

import { SpanTree } from "./tree.js";
import { showLocalTimes } from "./times.js";

const LOOK_MS = 2000;
const WAIT_MS = 120;

const box = document.getElementById("tree");
const detail = document.getElementById("detail");
let asking = null;
let waiting = 0;

showLocalTimes();
listenToChoices();
listenToForms();
if (box) start();

async function start() {
  const tree = new SpanTree(box, choose);
  listenToTools(tree);
  const first = await load();
  if (!first) return;
  tree.show(first, box.dataset.span);
  if (first.is_running) follow(tree);
}

async function load(etag) {
  const response = await fetch(box.dataset.rows, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store" });
  if (response.status === 304) return null;
  if (!response.ok) throw new Error(`The spans can't be read: ${response.status}`);
  return { ...(await response.json()), etag: response.headers.get("ETag") };
}

/** A trace that runs grows: look again until it has ended. */
function follow(tree) {
  let etag = null;
  const look = async () => {
    let data = null;
    try {
      data = await load(etag);
      showFeed(true);
    } catch {
      showFeed(false);
    }
    if (data) {
      etag = data.etag;
      tree.show(data, tree.chosen);
      if (!data.is_running) return location.reload();
    }
    setTimeout(look, LOOK_MS);
  };
  setTimeout(look, LOOK_MS);
  showFeed(true);
}

function showFeed(isThere) {
  const element = document.getElementById("feed");
  if (!element) return;
  element.textContent = isThere ? "live" : "disconnected";
  element.className = `state ${isThere ? "good" : "bad"}`;
}

/** Show a span beside the waterfall, and put it into the address. */
function choose(id) {
  const address = new URL(location.href);
  address.searchParams.set("span", id);
  history.replaceState(null, "", address);
  markLogs(id);
  clearTimeout(waiting);
  waiting = setTimeout(() => fetchDetail(id), WAIT_MS);
}

async function fetchDetail(id) {
  asking?.abort();
  asking = new AbortController();
  detail.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(box.dataset.spans + encodeURIComponent(id), { signal: asking.signal });
    if (response.status === 401) return location.reload();
    if (!response.ok) throw new Error(String(response.status));
    detail.innerHTML = await response.text();
    detail.scrollTop = 0;
    showLocalTimes(detail);
    showFields(detail);
  } catch (error) {
    if (error.name === "AbortError") return;
    detail.textContent = "The span can't be shown: the panel doesn't answer. Choose it again.";
  } finally {
    detail.removeAttribute("aria-busy");
  }
}

function markLogs(id) {
  for (const line of document.querySelectorAll("#logs li[data-span]")) line.classList.toggle("of-span", line.dataset.span === id);
}

function listenToTools(tree) {
  const field = document.getElementById("find");
  const found = document.getElementById("found");
  field.addEventListener("input", () => {
    const count = tree.find(field.value);
    found.textContent = field.value ? `${count.toLocaleString("en")} found` : "";
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "ArrowDown") return;
    event.preventDefault();
    tree.chooseNext((row) => tree.matches(row));
  });
  document.getElementById("fold").addEventListener("click", () => tree.foldAll(true));
  document.getElementById("unfold").addEventListener("click", () => tree.foldAll(false));
  document.getElementById("next-error")?.addEventListener("click", () => tree.chooseNext((row) => row.status === "error"));
  // Links to spans of this trace needn't load the page anew.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-choose]");
    if (!link || event.ctrlKey || event.metaKey || !tree.has(link.dataset.choose)) return;
    event.preventDefault();
    tree.choose(link.dataset.choose);
  });
}

/** Of a form that says something about a span, only the fields of what is said are there. */
function listenToForms() {
  document.addEventListener("change", (event) => {
    if (event.target.matches(".annotate select[name=kind]")) showFields(event.target.closest("form"));
  });
  showFields(document);
}

function listenToChoices() {
  if (box) markLogs(box.dataset.span);
}

function showFields(root) {
  const forms = root.matches?.("form") ? [root] : root.querySelectorAll(".annotate form");
  for (const form of forms) {
    const kind = form.elements.namedItem("kind").value;
    for (const part of form.querySelectorAll("[data-for]")) {
      part.hidden = part.dataset.for !== kind;
      for (const field of part.querySelectorAll("input")) field.disabled = part.hidden;
    }
    form.elements.namedItem("name").required = kind === "score";
    form.elements.namedItem("comment").required = kind === "note";
  }
}
