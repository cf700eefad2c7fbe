// What every page has: menu, theme, dialogs, copying, keys, actions, times, and the refreshing of #live.

import { listenToActions } from "./actions.js";
import { listenToKeys } from "./keys.js";
import { keepFresh } from "./refresh.js";
import { keepTimes } from "./times.js";
import { showToast } from "./toasts.js";

const THEMES = ["system", "light", "dark"];

function listenToMenu() {
  const button = document.querySelector(".menu-button");
  button?.addEventListener("click", () => {
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    document.body.classList.toggle("menu-open", open);
  });
}

function listenToTheme() {
  const button = document.getElementById("theme");
  if (!button) return;
  const name = () => document.documentElement.dataset.theme ?? "system";
  const say = () => {
    button.title = `Theme: ${name()}`;
    button.setAttribute("aria-label", button.title);
  };
  button.addEventListener("click", () => {
    chooseTheme(THEMES[(THEMES.indexOf(name()) + 1) % THEMES.length]);
    say();
    showToast(`Theme: ${name()}`);
  });
  say();
}

/** Charts and terminals listen to the event "themechange" of the document. */
function chooseTheme(theme) {
  if (theme === "system") {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem("theme");
  } else {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
  }
  document.dispatchEvent(new CustomEvent("themechange"));
}

function listenToClicks() {
  document.addEventListener("click", async (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) document.querySelector(opener.dataset.open)?.showModal();
    const closer = event.target.closest("[data-close]");
    if (closer) closer.closest("dialog")?.close();
    const copier = event.target.closest("[data-copy]");
    if (copier) await copy(copier);
    if (event.target.matches("dialog")) event.target.close();
  });
}

async function copy(button) {
  const text = button.dataset.copy || document.querySelector(button.dataset.copyFrom)?.textContent || "";
  try {
    await navigator.clipboard.writeText(text);
    showToast("Copied.");
  } catch {
    showToast("The browser doesn't allow copying here: select the text instead.", "bad");
  }
}

/** Filters that are chosen (not typed) apply at once. */
function listenToFilters() {
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-auto]");
    if (form && event.target.matches("select, input[type=checkbox], input[type=radio]")) form.requestSubmit();
  });
  // Empty fields stay out of the address, so that links are short.
  document.addEventListener("submit", (event) => {
    if (event.target.matches("form[data-auto], form.toolbar")) leaveOutEmpty(event.target);
  });
}

function leaveOutEmpty(form) {
  for (const field of form.elements) {
    if (field.name && field.value === "" && !field.disabled) {
      field.disabled = true;
      setTimeout(() => (field.disabled = false), 0);
    }
  }
}

listenToMenu();
listenToTheme();
listenToClicks();
listenToFilters();
listenToActions();
listenToKeys();
keepTimes();
keepFresh();
