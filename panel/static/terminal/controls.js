// Buttons, keys, wheel and links that a log on the page obeys.

import { copyFrom } from "./copy.js";

/** Listen for a view (`LogView`), for as long as its page is open. */
export function listenTo(view) {
  listenToButtons(view);
  view.gutter.addEventListener("click", (event) => {
    const number = Number(event.target.dataset.number);
    if (number) view.mark(number, event.shiftKey);
  });
  view.body.addEventListener("wheel", (event) => turnWheel(view, event), { capture: true, passive: false });
  // The terminal would take a finger's moves for itself; the box scrolls by them.
  for (const name of ["touchstart", "touchmove", "touchend"]) {
    view.body.addEventListener(name, (event) => event.stopPropagation(), { capture: true, passive: true });
  }
  view.section.addEventListener("keydown", (event) => press(view, event));
  document.addEventListener("keydown", (event) => pressAnywhere(view, event));
  window.addEventListener("hashchange", () => view.readAddress());
  document.addEventListener("themechange", () => view.changeTheme());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => view.changeTheme());
  new ResizeObserver(() => view.resize()).observe(view.box);
  document.fonts.ready.then(() => view.resize());
}

function listenToButtons(view) {
  const acts = {
    follow: () => view.setFollowing(!view.isFollowing),
    new: () => view.setFollowing(true),
    wrap: () => view.setWrapped(!view.isWrapped),
    clear: () => view.clear(),
    restore: () => view.restore(),
    copy: () => copyFrom(view),
  };
  for (const [name, act] of Object.entries(acts)) view.part(name).addEventListener("click", act);
  view.part("jump").addEventListener("submit", (event) => jump(view, event));
}

function jump(view, event) {
  event.preventDefault();
  const number = Number(event.target.elements.line.value.replaceAll(/[\s,.]/g, ""));
  if (!(number >= 1)) return;
  const line = Math.max(view.source.first, Math.min(number, view.source.last));
  view.mark(line, false);
  view.goTo(line);
  view.box.focus({ preventScroll: true });
}

/** A wheel turns rows, not a share of the whole log; at the log's ends the page goes on, as with any box. */
function turnWheel(view, event) {
  event.stopPropagation();
  if (event.ctrlKey || event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return;
  const height = { 0: 1, 1: view.screen.cellHeight, 2: view.box.clientHeight }[event.deltaMode];
  const rows = (event.deltaY * height) / view.screen.cellHeight;
  if ((rows < 0 && view.scroll.place <= view.first) || (rows > 0 && view.isFollowing)) return;
  event.preventDefault();
  view.moveRows(rows);
}

function press(view, event) {
  if (event.target.matches("input") || event.altKey || event.metaKey || event.ctrlKey) return;
  if (!view.body.contains(event.target)) return;
  const page = Math.max(1, view.screen.rows - 2);
  const acts = {
    ArrowDown: () => view.moveRows(1),
    ArrowUp: () => view.moveRows(-1),
    PageDown: () => view.moveRows(page),
    PageUp: () => view.moveRows(-page),
    Home: () => view.goToStart(),
    End: () => view.setFollowing(true),
    f: () => view.setFollowing(!view.isFollowing),
    w: () => view.setWrapped(!view.isWrapped),
    n: () => view.search.step(1),
    N: () => view.search.step(-1),
  };
  if (!acts[event.key]) return;
  event.preventDefault();
  acts[event.key]();
}

/** The browser's own search sees the screenful that is drawn: the log's own takes its key where the log has the focus. */
function pressAnywhere(view, event) {
  const isFind = event.key === "f" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
  const isIn = view.section.contains(document.activeElement) || document.activeElement === document.body;
  const isSlash = event.key === "/" && view.body.contains(document.activeElement);
  if (!(isFind && isIn) && !isSlash) return;
  event.preventDefault();
  view.search.focus(view.screen.selection);
}
