// Keys of the review page: each presses the button that names it.
import { enterIsTaken, isForPage, keyOf } from "./desk/keys.js";

window.addEventListener("keydown", (event) => {
  if (!isForPage(event) || event.repeat) return;
  const key = keyOf(event);
  if (key === null || (key === "Enter" && enterIsTaken(event.target))) return;
  const pressed = document.querySelector(`.review [data-key="${CSS.escape(key)}"]`);
  if (!pressed) return;
  event.preventDefault();
  pressed.click();
});

// What was clicked with the mouse must not keep Enter for itself.
document.addEventListener("click", (event) => {
  if (event.detail > 0) event.target.closest(".review button")?.blur();
});
