// Which key was pressed, the same on every keyboard layout.

const DIGIT = /^(?:Digit|Numpad)(\d)$/;

/** Name the key of an event: "Enter", "Escape", "?", a digit, a lower-case letter; null for all others.
 * Digits go by their place, since AZERTY needs Shift for them; letters go by what is printed on the key. */
export function keyOf(event) {
  if (event.key === "Enter" || event.key === "Escape" || event.key === "?") return event.key;
  const digit = DIGIT.exec(event.code);
  if (digit && (event.code.startsWith("Digit") || event.key === digit[1])) return digit[1];
  if (/^\d$/.test(event.key)) return event.key;
  return event.key.length === 1 ? event.key.toLowerCase() : null;
}

/** Whether the event is for the page: no shortcut of the browser, no text being typed. */
export function isForPage(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return false;
  return !event.target.closest?.("input, textarea, select, [contenteditable]");
}

/** Whether Enter belongs to the focused element (a link, a button that is no label) and not to the question. */
export function enterIsTaken(target) {
  return Boolean(target.closest?.("a, summary, button:not([role=radio])"));
}

/** The next label of a row for an arrow key, or null. */
export function neighbour(labels, name, key) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key];
  if (!step) return null;
  const place = labels.findIndex((label) => label.name === name);
  return labels[(place + step + labels.length) % labels.length];
}
