"use strict";
// Images marked 18+ are blurred inside a button: a click, Enter or Space shows the image or blurs it again.
document.documentElement.classList.add("js");
document.addEventListener("click", (event) => {
  const veil = event.target.closest("button.veil");
  if (veil) veil.setAttribute("aria-pressed", String(veil.getAttribute("aria-pressed") !== "true"));
});
// Folded blocks are opened for printing, and folded again afterwards.
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
