// Pages of teams, projects and deployments: progress of builds, finding in lists, menus that close.

const TICK_MS = 1000;

/** Bars of builds count on between two looks; they wait before the end for what takes longer than expected. */
function showProgress() {
  for (const bar of document.querySelectorAll("progress[data-started]")) {
    const passed = (Date.now() - Date.parse(bar.dataset.started)) / 1000;
    bar.value = Math.min(0.97, Math.max(0, passed / Number(bar.dataset.expected)));
  }
}

/** A field with data-filter hides the rows in which its text doesn't occur. */
function filterRows() {
  for (const field of document.querySelectorAll("[data-filter]")) {
    const wanted = field.value.trim().toLowerCase();
    for (const row of document.querySelectorAll(field.dataset.filter)) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
    }
  }
}

/** What belongs to one choice alone is there, and sent, with that choice: data-only-for="#type" data-value="preview". */
function showDependents() {
  for (const part of document.querySelectorAll("[data-only-for]")) {
    part.hidden = document.querySelector(part.dataset.onlyFor)?.value !== part.dataset.value;
    for (const field of part.querySelectorAll("input, select")) field.disabled = part.hidden;
  }
}

function closeMenus(event) {
  for (const menu of document.querySelectorAll("details.more[open]")) {
    const chose = event.target.closest(".more-menu button, .more-menu a");
    if (chose || !menu.contains(event.target)) menu.open = false;
  }
}

/** A link such as /teams#new opens the dialog of the button that has data-hash="new". */
function openByAddress() {
  const name = location.hash.slice(1);
  if (name) document.querySelector(`[data-hash="${CSS.escape(name)}"]`)?.click();
}

/** A form with data-wrap="source" sends its fields inside of that: {"source": {…}}. */
function wrapFields(event) {
  const form = event.target.closest("form[data-wrap]");
  if (!form) return;
  const fields = [...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value);
  form.dataset.body = JSON.stringify({ [form.dataset.wrap]: Object.fromEntries(fields) });
}

/** What is told once, such as the secret of a webhook, is shown in the dialog that data-secret-to names. */
function showSecret(event) {
  const button = event.target.closest("[data-secret-to]");
  if (!button) return;
  const dialog = document.querySelector(button.dataset.secretTo);
  dialog.querySelector("[data-secret]").textContent = event.detail.webhook.secret;
  dialog.addEventListener("close", () => location.reload(), { once: true });
  dialog.showModal();
}

document.addEventListener("submit", wrapFields, true);
document.addEventListener("done", showSecret);
document.addEventListener("input", (event) => {
  if (event.target.matches("[data-filter]")) filterRows();
});
document.addEventListener("change", showDependents);
document.addEventListener("refreshed", () => {
  filterRows();
  showProgress();
});
document.addEventListener("click", closeMenus);
document.addEventListener("keydown", (event) => {
  const menu = document.querySelector("details.more[open]");
  if (event.key !== "Escape" || !menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
window.addEventListener("hashchange", openByAddress);
setInterval(showProgress, TICK_MS);
showProgress();
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
showDependents();
openByAddress();
