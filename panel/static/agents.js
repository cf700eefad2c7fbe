// Asking an agent on the page of its deployment.

const form = document.getElementById("ask");
const byId = (id) => document.getElementById(id);

if (form) {
  showAgent();
  byId("agent").addEventListener("change", showAgent);
}
if (form?.dataset.api) {
  const base = form.dataset.api;
  // Before the form is sent, which listens on the document: the agent is part of the address.
  form.addEventListener("submit", () => {
    form.dataset.api = `${base}${encodeURIComponent(byId("agent").value)}/generate`;
    byId("answer").textContent = "";
    byId("answer").dataset.placeholder = "It is thinking. This may take a while.";
    byId("answer-facts").replaceChildren();
  });
  form.addEventListener("done", (event) => showAnswer(event.detail.answer));
  byId("prompt").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  new MutationObserver(tellWhenIdle).observe(form, { attributes: true, attributeFilter: ["aria-busy"] });
}

/** After an error, which stands above, nothing is awaited any more. */
function tellWhenIdle() {
  if (!form.hasAttribute("aria-busy")) byId("answer").dataset.placeholder = "The answer shows here.";
}

function showAgent() {
  const { description, model, tools } = byId("agent").selectedOptions[0].dataset;
  const parts = [description, model && `Model ${model}`, tools && `Tools: ${tools}`];
  byId("agent-facts").textContent = parts.filter(Boolean).join(" · ");
}

function showAnswer(answer) {
  byId("answer").textContent = answer.text || "It answered without text.";
  const tokens = answer.input_tokens === null ? "" : `${answer.input_tokens} tokens in, ${answer.output_tokens ?? 0} out`;
  const facts = [`${answer.seconds.toFixed(1)} s`, tokens].filter(Boolean).join(" · ");
  byId("answer-facts").replaceChildren(facts);
  if (!answer.trace_id) return;
  const link = document.createElement("a");
  link.href = form.dataset.traces + encodeURIComponent(answer.trace_id);
  link.textContent = "See what it did";
  byId("answer-facts").append(" · ", link);
}
