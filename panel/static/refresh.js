// Keeps the part of a page that the server renders up to date: fetches the page again and changes #live.
//
// <div id="live" data-refresh="2"> is looked at every two seconds while the page is visible; the word in #connection
// says whether the server answers. Elements marked data-keep are never touched (terminals, charts).

import { Idiomorph } from "./vendor/idiomorph/idiomorph.esm.js";
import { showTimes } from "./times.js";

let etag = null;
let shown = document.getElementById("live")?.innerHTML ?? "";
let timer = 0;

/** Look at the page again and again, as its #live says. */
export function keepFresh() {
  const seconds = Number(document.getElementById("live")?.dataset.refresh ?? 0);
  if (!seconds) return;
  const look = async () => {
    clearTimeout(timer);
    const answered = await refreshPage();
    showConnection(...(answered ? ["connected", "good"] : ["disconnected", "bad"]));
    if (!document.hidden) timer = setTimeout(look, seconds * 1000);
  };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) look();
  });
  timer = setTimeout(look, seconds * 1000);
  showConnection("connected", "good");
}

/**
 * Fetch this page and show its #live if it changed. Resolves to true when the server answered.
 * Nothing is changed while somebody selects text in it; with `force` it is.
 */
export async function refreshPage({ force = false } = {}) {
  if (!document.getElementById("live")) return location.reload();
  const headers = etag && !force ? { "If-None-Match": etag } : {};
  let response;
  try {
    response = await fetch(location.pathname + location.search, { headers, cache: "no-store" });
  } catch {
    return false;
  }
  // The session has ended, or what the page shows was deleted.
  if (response.status === 401 || response.status === 404) location.reload();
  if (response.status === 304) return true;
  if (!response.ok) return false;
  change(await response.text(), response.headers.get("ETag"), force);
  return true;
}

/** Show the state of the connection as a coloured word. */
export function showConnection(word, tone) {
  const element = document.getElementById("connection");
  if (!element || element.textContent === word) return;
  element.textContent = word;
  element.className = `state ${tone}`;
}

function change(html, newTag, force) {
  const live = document.getElementById("live");
  // What somebody is just selecting stays; the next look comes soon.
  const selection = document.getSelection();
  if (!force && selection && !selection.isCollapsed && live.contains(selection.anchorNode)) return;
  etag = newTag;
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("live");
  if (!fresh || fresh.innerHTML === shown) return;
  shown = fresh.innerHTML;
  Idiomorph.morph(live, [...fresh.childNodes], {
    morphStyle: "innerHTML",
    callbacks: { beforeNodeMorphed: mayChange, beforeNodeRemoved: mayGo, beforeAttributeUpdated: mayChangeAttribute },
  });
  showTimes();
  live.dispatchEvent(new CustomEvent("refreshed", { bubbles: true }));
}

/** Forms that somebody fills in, open dialogs and what scripts draw stay as they are. */
function mayChange(node) {
  if (!(node instanceof Element)) return true;
  if (node.matches("[data-keep], dialog[open], [aria-busy=true]")) return false;
  return !(node.matches("form[data-api]") && isBeingFilled(node));
}

function isBeingFilled(form) {
  if (form.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) return true;
  return [...form.elements].some((field) => field.value !== field.defaultValue && "defaultValue" in field && field.type !== "hidden");
}

/** What an action said stays until the next one. */
function mayGo(node) {
  return !(node instanceof Element && node.matches(".action-error:not([hidden]), .field-error"));
}

/** What a person opened stays open. */
function mayChangeAttribute(name, node) {
  return !(name === "open" && node.matches("details"));
}
