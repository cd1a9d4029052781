"use strict";
// Images marked 18+ stand behind a button: a click, Enter or Space shows one, and blurs it again.
document.documentElement.classList.add("js");
document.addEventListener("click", (event) => {
  const veil = event.target.closest("button.veil");
  if (veil) veil.setAttribute("aria-pressed", String(veil.getAttribute("aria-pressed") !== "true"));
});
// What is folded away on the screen belongs on paper.
addEventListener("beforeprint", () => {
  for (const block of document.querySelectorAll("details:not([open])")) {
    block.open = true;
    block.dataset.folded = "";
  }
});
addEventListener("afterprint", () => {
  for (const block of document.querySelectorAll("details[data-folded]")) {
    block.open = false;
    delete block.dataset.folded;
  }
});
