// Forms and buttons that act through the API.
//
//   <form data-api="POST /api/teams" data-done="goto:/teams/{team.slug}">   its fields become the JSON body
//   <button data-api="POST /api/deployments/…/stop" data-confirm="Stop main?" data-busy="Stopping">
//
// data-done: "refresh" (default), "reload", "goto:<address with {fields} of the answer>" or "none".
// Fields: data-type="number|boolean|json|list|lines", on check boxes "choice" (their values as a list); an empty one is left out unless data-empty says null, keep or list (an empty one).
// The answer is told to the page by the event "done" on the element, with it as detail.

import { ask } from "./confirm.js";
import { refreshPage } from "./refresh.js";
import { showToast } from "./toasts.js";

/** The API takes no body with these. */
const BODILESS = new Set(["GET", "DELETE"]);

/** Listen on the document, so that what is swapped in later acts too. */
export function listenToActions() {
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-api]")) return;
    event.preventDefault();
    run(event.target, event.submitter);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-api]");
    if (button && !button.disabled) run(button, button);
  });
}

async function run(element, button) {
  // A choice that is made while the last one is on its way follows it; a second click on a button is only a second click.
  if (element.getAttribute("aria-busy") === "true") {
    if (isChoice(element)) element.addEventListener("idle", () => run(element, button), { once: true });
    return;
  }
  clearErrors(element);
  if (element.dataset.confirm && !(await ask(element.dataset))) return;
  const restore = showBusy(element, button);
  try {
    const answer = await callApi(element.dataset.api, readBody(element), readHeaders(element));
    element.dispatchEvent(new CustomEvent("done", { detail: answer, bubbles: true }));
    // A choice can be made again at once, and is shown as the server has it now.
    if (isChoice(element)) restore();
    await finish(element, answer);
  } catch (error) {
    if (isChoice(element)) element.reset();
    showError(element, error);
  } finally {
    restore();
  }
}

function isChoice(element) {
  return "submitOnChange" in element.dataset;
}

/**
 * Call the API and resolve to its answer (null when it has none).
 * @param {string} call method and address, such as "POST /api/teams"
 * @throws {ApiError} what the API answered, or that it couldn't be reached
 */
export async function callApi(call, body, headers = {}) {
  const [method, url] = call.split(" ");
  const options = { method, headers: { Accept: "application/json", ...headers }, cache: "no-store" };
  if (body !== undefined && !BODILESS.has(method)) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(url, options);
  } catch {
    throw new ApiError({ message: "The panel can't be reached.", hint: "Is it still running? Try again." });
  }
  const text = await response.text();
  if (response.ok) return text ? JSON.parse(text) : null;
  if (response.status === 401) location.reload();
  throw new ApiError(readProblem(text, response.status));
}

/** What the API answered instead of doing it. */
export class ApiError extends Error {
  constructor(problem) {
    super(problem.message);
    this.hint = problem.hint ?? "";
    this.fields = problem.details?.fields ?? {};
    this.details = problem.details ?? {};
  }
}

function readProblem(text, status) {
  try {
    return JSON.parse(text).error;
  } catch {
    return { message: `The panel answered ${status} without saying why.` };
  }
}

function readBody(element) {
  if (element.dataset.body) return JSON.parse(element.dataset.body);
  if (!element.matches("form")) return {};
  const body = {};
  for (const field of element.elements) {
    if (!field.name || field.disabled || (field.type === "radio" && !field.checked)) continue;
    if (field.dataset.type === "choice") {
      body[field.name] ??= [];
      if (field.checked) body[field.name].push(field.value);
      continue;
    }
    const value = readField(field);
    if (value !== undefined) body[field.name] = value;
  }
  return body;
}

function readField(field) {
  if (field.type === "checkbox") return field.checked;
  const text = field.type === "password" || field.tagName === "TEXTAREA" ? field.value : field.value.trim();
  if (text === "") return { null: null, keep: "", list: [] }[field.dataset.empty];
  return READERS[field.dataset.type]?.(text) ?? text;
}

const READERS = {
  number: (text) => Number(text),
  boolean: (text) => text === "true",
  json: (text) => readJson(text),
  list: (text) => text.split(",").map((part) => part.trim()).filter(Boolean),
  lines: (text) => text.split("\n").map((part) => part.trim()).filter(Boolean),
};

function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A form marked data-idempotent sends the same key until it has succeeded: a second click can't deploy twice. */
function readHeaders(element) {
  if (!("idempotent" in element.dataset)) return {};
  element.dataset.key ||= crypto.randomUUID?.() ?? String(Math.random()).slice(2);
  return { "Idempotency-Key": element.dataset.key };
}

/** Show that an element is acting; return what ends that, once. */
function showBusy(element, button) {
  element.setAttribute("aria-busy", "true");
  const label = button?.innerHTML;
  const word = button && (element.dataset.busy ?? button.dataset.busy);
  if (button) {
    button.style.minWidth = `${button.offsetWidth}px`;
    button.disabled = true;
    button.classList.add("busy");
  }
  if (word) button.textContent = `${word}…`;
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    element.removeAttribute("aria-busy");
    if (button) {
      button.disabled = false;
      button.classList.remove("busy");
      button.style.minWidth = "";
    }
    if (word) button.innerHTML = label;
    element.dispatchEvent(new CustomEvent("idle"));
  };
}

async function finish(element, answer) {
  delete element.dataset.key;
  if (element.dataset.toast) showToast(element.dataset.toast, "good");
  element.closest("dialog")?.close();
  const done = element.dataset.done ?? "refresh";
  if (done === "none") return;
  if (done === "reload") return location.reload();
  if (done.startsWith("goto:")) return location.assign(fill(done.slice(5), answer));
  if (element.matches("form") && !isChoice(element)) element.reset();
  await refreshPage({ force: true });
}

function fill(address, answer) {
  return address.replace(/\{([\w.]+)\}/g, (_, path) =>
    encodeURIComponent(path.split(".").reduce((value, key) => value?.[key], answer) ?? ""),
  );
}

function showError(element, error) {
  const unknown = markFields(element, error.fields ?? {});
  const place = findPlace(element);
  const lines = [error.message, ...unknown, error.hint].filter(Boolean);
  place.replaceChildren(...lines.map((line) => Object.assign(document.createElement("span"), { textContent: line })));
  place.hidden = false;
  if (!(error instanceof ApiError)) throw error;
}

/** Show messages at their fields; return those whose field isn't here. */
function markFields(element, fields) {
  const rest = [];
  for (const [name, message] of Object.entries(fields)) {
    const field = element.matches("form") ? element.elements.namedItem(name) : null;
    if (!(field instanceof HTMLElement)) {
      rest.push(`${name}: ${message}`);
      continue;
    }
    field.setAttribute("aria-invalid", "true");
    const note = document.createElement("p");
    note.className = "field-error";
    note.id = `${field.id || name}-error`;
    note.textContent = message;
    field.setAttribute("aria-errormessage", note.id);
    (field.closest(".field") ?? field.parentElement).append(note);
  }
  element.querySelector?.("[aria-invalid=true]")?.focus();
  return rest;
}

/** Errors stand in [data-error] nearby (in the form, or in the button's .buttons or section), else after the element. */
function findPlace(element) {
  const found = element.querySelector("[data-error]") ?? element.closest(".actions, .card, dialog")?.querySelector("[data-error]");
  if (found) return found;
  const place = document.createElement("p");
  place.className = "action-error";
  place.dataset.error = "";
  place.setAttribute("role", "alert");
  if (element.matches("form")) element.append(place);
  else element.after(place);
  return place;
}

function clearErrors(element) {
  for (const note of element.querySelectorAll(".field-error")) note.remove();
  for (const field of element.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  const place = element.querySelector("[data-error]") ?? element.closest(".actions, .card, dialog")?.querySelector("[data-error]");
  if (place) place.hidden = true;
}
