// Choosing the source of a new project: what is chosen is looked at right away.

import { callApi } from "./actions.js";

const form = document.querySelector("form.new-project");
const verdict = document.getElementById("verdict");
const other = document.getElementById("other");
let asked = 0;

form?.addEventListener("change", (event) => {
  if (event.target.name === "source") choose(event.target);
});
other?.addEventListener("input", () => {
  // A path that is typed is taken in place of what is chosen in the list.
  const typed = other.value.trim() !== "";
  other.name = typed ? "source" : "";
  for (const option of form.querySelectorAll("input[type=radio][name=source]")) {
    option.disabled = typed;
    option.checked &&= !typed;
  }
  verdict.textContent = "";
});

async function choose(option) {
  form.elements.namedItem("name").placeholder = option.dataset.name;
  form.elements.namedItem("default_branch").placeholder = "main";
  const ticket = (asked += 1);
  show("Looking at it", "wait");
  try {
    const answer = await callApi(`POST /api/sources/projects/${encodeURIComponent(option.value)}/validate`, {});
    if (ticket === asked) tell(answer.validation);
  } catch (error) {
    if (ticket === asked) show([error.message, error.hint].filter(Boolean).join(" "), "bad");
  }
}

function tell(validation) {
  if (validation.valid) show("It can be read, and is a Mastra project", "good");
  else show(validation.reason, "bad");
}

function show(text, tone) {
  const state = document.createElement("span");
  state.className = `state ${tone}`;
  state.textContent = text;
  verdict.replaceChildren(state);
}
