// The forms of alerts: what a kind measures, in which unit, and what can be said of it; shares are entered as percents.

import { showToast } from "./toasts.js";

function showKind(form) {
  const select = form.querySelector("[data-kinds]");
  const chosen = select?.selectedOptions[0];
  const takes = chosen ? chosen.dataset.takes.split(" ") : { error_rate: ["min_count", "share"], latency: ["min_count", "percentile"] }[form.dataset.kind] ?? [];
  if (chosen) describeKind(form, chosen);
  for (const part of form.querySelectorAll("[data-takes]:not(option)")) {
    part.hidden = !takes.includes(part.dataset.takes);
    for (const field of part.querySelectorAll("input, select")) field.disabled = field.closest("[hidden]") !== null;
  }
  form.dataset.share = takes.includes("share");
  readThreshold(form);
}

function describeKind(form, chosen) {
  form.querySelector("[data-unit]:not(option)").textContent = chosen.dataset.unit;
  form.querySelector("#kind-help").textContent = chosen.dataset.help;
  const threshold = form.querySelector("[data-threshold]");
  if (!threshold.value || threshold.dataset.example === threshold.value) threshold.value = chosen.dataset.example;
  threshold.dataset.example = chosen.dataset.example;
  form.querySelector("[data-subject]").hidden = "home" in chosen.dataset;
  readSubject(form);
}

function readThreshold(form) {
  const { value } = form.querySelector("[data-threshold]");
  const number = form.dataset.share === "true" ? Number((Number(value) / 100).toPrecision(12)) : Number(value);
  form.elements.namedItem("threshold").value = value === "" ? "" : String(number);
}

function readSubject(form) {
  const box = form.querySelector("[data-subject]");
  const [kind, id] = box.hidden ? [] : form.querySelector("#subject").value.split(":");
  for (const name of ["project", "deployment"]) form.elements.namedItem(name).value = kind === name ? id : "";
}

function listen(event) {
  const form = event.target.closest("form[data-alert]");
  if (!form) return;
  if (event.target.matches("[data-kinds]")) showKind(form);
  if (event.target.matches("[data-threshold]")) readThreshold(form);
  if (event.target.matches("#subject")) readSubject(form);
}

function prepare() {
  for (const form of document.querySelectorAll("form[data-alert]")) showKind(form);
}

document.addEventListener("input", listen);
document.addEventListener("change", listen);
document.addEventListener("refreshed", prepare);
document.addEventListener("reset", (event) => {
  if (event.target.matches("form[data-alert]")) setTimeout(() => showKind(event.target), 0);
});
document.addEventListener("done", (event) => {
  if (!event.target.matches("[data-test]")) return;
  const { status, error } = event.detail.message;
  if (status === "delivered") showToast("The test was delivered.", "good");
  else showToast(`The test wasn't delivered: ${error ?? status}`, "bad");
});
prepare();
