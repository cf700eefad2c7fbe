// Keeps the part of a page that the server renders up to date: fetches the page again and swaps #live.

import { showTimes } from "./times.js";

let etag = null;
let shown = document.getElementById("live").innerHTML;

/** Fetch this page and show its #live if it changed. Resolves to true when the server answered. */
export async function refreshPage() {
  const headers = etag ? { "If-None-Match": etag } : {};
  let response;
  try {
    response = await fetch(location.pathname + location.search, { headers, cache: "no-store" });
  } catch {
    return false;
  }
  if (response.status === 401) location.reload();
  if (response.status === 304) return true;
  if (!response.ok) return false;
  swap(await response.text(), response.headers.get("ETag"));
  return true;
}

/** Show the state of the connection as a coloured word. */
export function showConnection(word, tone) {
  const element = document.getElementById("connection");
  if (element.textContent === word) return;
  element.textContent = word;
  element.className = `state ${tone}`;
}

function swap(html, newTag) {
  // What somebody is just selecting stays; the next refresh comes soon.
  const selection = document.getSelection();
  const live = document.getElementById("live");
  if (selection && !selection.isCollapsed && live.contains(selection.anchorNode)) return;
  etag = newTag;
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("live");
  if (!fresh || fresh.innerHTML === shown) return;
  shown = fresh.innerHTML;
  const focused = live.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  live.replaceChildren(...fresh.childNodes);
  showTimes();
  if (focused) live.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}
