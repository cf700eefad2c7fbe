// Short messages at the lower edge, which screen readers read out.

const SECONDS = 5;

/** Show a message for a while. `tone` is good, bad or nothing. */
export function showToast(text, tone = "") {
  const toast = document.createElement("p");
  toast.className = `toast ${tone}`;
  toast.textContent = text;
  document.getElementById("toasts").append(toast);
  setTimeout(() => toast.remove(), SECONDS * 1000);
}
