// The pages of settings: what a collection removed, how much room the home takes, a token's secret, finding a setting.

import { callApi } from "./actions.js";

const SIZES = ["B", "KB", "MB", "GB", "TB"];

function formatBytes(count) {
  let size = count;
  let place = 0;
  while (size >= 999.5 && place < SIZES.length - 1) {
    size /= 1024;
    place += 1;
  }
  return `${place ? Number(size.toPrecision(3)) : size} ${SIZES[place]}`;
}

function make(name, { text, className, children = [], ...attributes } = {}) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function makeTable(heads, rows, numbers) {
  const cell = (name, text, place) => make(name, { text, className: numbers.includes(place) ? "number" : "" });
  return make("table", {
    className: "fluid",
    children: [
      make("thead", { children: [make("tr", { children: heads.map((text, place) => cell("th", text, place)) })] }),
      make("tbody", { children: rows.map((row) => make("tr", { children: row.map((text, place) => cell("td", text, place)) })) }),
    ],
  });
}

async function showDisk(box) {
  try {
    const { disk } = await callApi("GET /api/disk");
    const others = disk.total - disk.free - disk.bytes;
    box.replaceChildren(
      make("p", { text: `The home takes ${formatBytes(disk.bytes)}; ${formatBytes(disk.free)} of ${formatBytes(disk.total)} are free on its disk.` }),
      makeBar([others / disk.total, disk.bytes / disk.total]),
      makeTable(["Part", "Files", "Size"], disk.parts.map((part) => [part.part, part.files.toLocaleString("en"), formatBytes(part.bytes)]), [1, 2]),
    );
  } catch (error) {
    box.replaceChildren(make("p", { text: error.message, className: "action-error", role: "alert" }));
  } finally {
    box.removeAttribute("aria-busy");
  }
}

/** What others take, then the home; the rest is free. */
function makeBar(shares) {
  const bar = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  bar.setAttribute("class", "disk-bar");
  bar.setAttribute("viewBox", "0 0 1000 10");
  bar.setAttribute("preserveAspectRatio", "none");
  bar.setAttribute("aria-hidden", "true");
  let start = 0;
  for (const share of shares) {
    const width = Math.max(share * 1000, share > 0 ? 3 : 0);
    const part = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, value] of Object.entries({ x: start, y: 0, width, height: 10 })) part.setAttribute(name, value);
    bar.append(part);
    start += width;
  }
  return bar;
}

function showCollection({ collection }) {
  const box = document.querySelector("[data-gc-result]");
  const shown = [make("p", { text: `${collection.title}.`, className: "strong" })];
  if (collection.removals.length) {
    shown.push(makeTable(["What", "Why", "Size"], collection.removals.map((item) => [item.what, item.reason, formatBytes(item.bytes)]), [2]));
  }
  const left = collection.count - collection.removals.length;
  if (left > 0) shown.push(make("p", { text: `And ${left} more.`, className: "muted" }));
  for (const problem of collection.problems) shown.push(make("p", { text: problem, className: "action-error" }));
  box.replaceChildren(...shown);
  const disk = document.querySelector("[data-disk]");
  if (disk && !collection.dry_run) showDisk(disk);
}

/** Send a choice at once; what was refused goes back to what it was. */
function submit(form) {
  const chosen = [...form.querySelectorAll("option")].map((option) => [option, option.selected]);
  form.addEventListener("done", () => chosen.forEach(([option, isChosen]) => (option.defaultSelected = isChosen)), { once: true });
  form.requestSubmit();
  const observer = new MutationObserver(() => {
    if (form.hasAttribute("aria-busy")) return;
    observer.disconnect();
    form.reset();
  });
  observer.observe(form, { attributeFilter: ["aria-busy"] });
}

function showSecret({ secret }) {
  document.getElementById("secret").textContent = secret;
  document.getElementById("made-token").showModal();
}

document.addEventListener("done", (event) => {
  if (event.target.matches("[data-gc]")) showCollection(event.detail);
  if (event.target.matches("[data-token]")) showSecret(event.detail);
});
document.getElementById("made-token")?.addEventListener("close", () => (document.getElementById("secret").textContent = ""));
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-submit-on-change]");
  if (form) submit(form);
});
document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-find]")) return;
  const wanted = event.target.value.trim().toLowerCase();
  for (const row of document.querySelectorAll(event.target.dataset.find)) row.hidden = !row.textContent.toLowerCase().includes(wanted);
});
const disk = document.querySelector("[data-disk]");
if (disk) showDisk(disk);
