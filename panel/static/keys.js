// Keys: "/" to the search, j and k through the rows of a list, "g" and a letter to a page, "?" for help.

const SECOND_KEY_MS = 1500;
let goingUntil = 0;

export function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (goingUntil > Date.now()) return follow(event);
    const act = ACTS[event.key];
    if (act && act() !== false) event.preventDefault();
  });
}

const ACTS = {
  "/": () => focusSearch(),
  "?": () => document.getElementById("keys")?.showModal() ?? undefined,
  g: () => {
    goingUntil = Date.now() + SECOND_KEY_MS;
  },
  j: () => moveRow(1),
  k: () => moveRow(-1),
};

function follow(event) {
  goingUntil = 0;
  const link = document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`);
  if (link) {
    event.preventDefault();
    link.click();
  }
}

function focusSearch() {
  const field = document.querySelector("[data-search]");
  if (!field) return false;
  field.focus();
  field.select?.();
}

/** Each row's link marked data-row takes the focus in turn; Enter then opens it as links do. */
function moveRow(step) {
  const rows = [...document.querySelectorAll("a[data-row]")].filter((row) => row.offsetParent);
  if (!rows.length) return false;
  const index = rows.indexOf(document.activeElement);
  rows[Math.max(0, Math.min(rows.length - 1, index + step))].focus();
}

function isTyping(element) {
  return element.closest("input, textarea, select, [contenteditable], .xterm, [role=tree]") !== null;
}
