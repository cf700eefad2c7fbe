// The page that shows the API: Swagger UI, in the panel's theme.

const place = document.getElementById("explorer");
const dark = matchMedia("(prefers-color-scheme: dark)");

function followTheme() {
  const chosen = document.documentElement.dataset.theme;
  document.documentElement.classList.toggle("dark-mode", chosen ? chosen === "dark" : dark.matches);
}

followTheme();
dark.addEventListener("change", followTheme);
new MutationObserver(followTheme).observe(document.documentElement, { attributeFilter: ["data-theme"] });

// What Swagger UI leaves to be desired: in its summaries a link stands within a button (what is unfolded is in the
// address all the same), and a list to choose from has no name.
function mend() {
  for (const link of place.querySelectorAll(".opblock-summary-control a[href]")) link.removeAttribute("href");
  place.querySelector("#servers")?.setAttribute("aria-label", "Server");
}

new MutationObserver(mend).observe(place, { childList: true, subtree: true });

window.SwaggerUIBundle({
  url: place.dataset.document,
  domNode: place,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});
