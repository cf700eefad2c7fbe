// Asks before something that can't be undone.

/**
 * Ask; resolve to true when the person agreed.
 * @param {{confirm: string, confirmText?: string, confirmWord?: string, confirmButton?: string}} question
 * title, what it means, a word to type, and what the button says
 */
export function ask(question) {
  const dialog = document.getElementById("confirm");
  const [yes, word] = [document.getElementById("confirm-yes"), document.getElementById("confirm-word")];
  document.getElementById("confirm-title").textContent = question.confirm;
  document.getElementById("confirm-text").textContent = question.confirmText ?? "";
  document.getElementById("confirm-word-shown").textContent = question.confirmWord ?? "";
  document.getElementById("confirm-word-field").hidden = !question.confirmWord;
  yes.textContent = question.confirmButton ?? "Go on";
  word.value = "";
  const judge = () => {
    yes.disabled = Boolean(question.confirmWord) && word.value !== question.confirmWord;
  };
  judge();
  word.oninput = judge;
  dialog.returnValue = "no";
  dialog.showModal();
  if (question.confirmWord) word.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes" && !yes.disabled), { once: true });
  });
}
