// Runs before the page is drawn, so that a chosen theme doesn't flash: light, dark, or as the system has it.
// A classic script for that reason; modules wait for the whole page.

(() => {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
