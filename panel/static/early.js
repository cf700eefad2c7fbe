// Runs before the page is drawn; a classic script for that reason: modules wait for the whole page.
// A chosen theme (light, dark, or as the system has it) doesn't flash, and what somebody does before the other scripts
// listen isn't lost: it is done as soon as they do.

(() => {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();

(() => {
  /** What to do about each event later. None: the browser itself does the right thing at once. */
  const later = {
    click(event) {
      const button = event.target.closest("button");
      const isNative = button?.type === "submit" && button.form && !button.form.dataset.api;
      return button && !isNative ? () => button.click() : null;
    },
    submit(event) {
      const { target: form, submitter } = event;
      return form.dataset.api ? () => form.requestSubmit(submitter) : null;
    },
    change: (event) => () => event.target.dispatchEvent(new Event("change", { bubbles: true })),
  };
  const kept = [];
  const keep = (event) => {
    const act = later[event.type](event);
    if (!act) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    kept.push(act);
  };
  for (const name of Object.keys(later)) document.addEventListener(name, keep, true);
  // By then all modules of the page have run.
  document.addEventListener("DOMContentLoaded", () => {
    for (const name of Object.keys(later)) document.removeEventListener(name, keep, true);
    for (const act of kept) act();
  });
})();
