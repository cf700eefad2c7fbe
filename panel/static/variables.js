// The editor of variables: from its forms to {"variables": {name: value}, "secret": …}.

document.addEventListener("submit", prepare, true);
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-variable]");
  if (button) edit(button.dataset);
});

/** Before the form is sent: its body can't be made of its fields one by one. The values leave the page at once. */
function prepare(event) {
  const form = event.target.closest("form[data-variables]");
  if (!form) return;
  const fields = form.elements;
  const variables = form.dataset.variables === "lines" ? readLines(fields.lines.value) : { [fields.key.value.trim()]: fields.value.value };
  form.dataset.body = JSON.stringify({ variables, secret: fields.secret.checked });
  setTimeout(() => delete form.dataset.body, 0);
}

/**
 * Return the variables of lines such as NAME=value; empty lines and comments are passed over.
 * @param {string} text
 */
export function readLines(text) {
  const found = {};
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*(?:export\s+)?([^#=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line);
    if (match) found[match[1]] = unquote(match[2]);
  }
  return found;
}

function unquote(value) {
  const match = /^(["'])(.*)\1$/.exec(value);
  return match ? match[2] : value;
}

function edit({ variable, value, secret }) {
  const form = document.getElementById("set-variable");
  form.elements.key.value = variable;
  form.elements.value.value = value;
  form.elements.secret.checked = secret === "true";
  form.scrollIntoView({ block: "center" });
  form.elements.value.focus();
}
