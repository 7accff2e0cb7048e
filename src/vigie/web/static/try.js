// What was typed on the try page stays in this tab: another language, another page and back, a reload.
const PLACE = "vigie.try";

function recall() {
  try {
    return sessionStorage.getItem(PLACE) ?? "";
  } catch {
    return "";
  }
}

document.addEventListener("input", (event) => {
  if (event.target.id !== "message") return;
  try {
    sessionStorage.setItem(PLACE, event.target.value);
  } catch {
    // Without storage the page works; it only forgets.
  }
});

function restore(input) {
  if (input.value || !recall()) return;
  input.value = recall();
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

// The page is built after this script has run.
const watcher = new MutationObserver(() => {
  const input = document.getElementById("message");
  if (!input) return;
  watcher.disconnect();
  restore(input);
});
watcher.observe(document.documentElement, { childList: true, subtree: true });
