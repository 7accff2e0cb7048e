// Language, colours and time zone, kept in cookies so that the server builds the next page in them.
(() => {
  const lost = document.currentScript.dataset.lost;
  const keep = (name, value) => {
    document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax`;
  };

  keep("vigie_zone", encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone));

  document.addEventListener("click", (event) => {
    const language = event.target.closest("[data-language]");
    if (language) {
      keep("vigie_language", language.dataset.language);
      location.reload();
    }
    const theme = event.target.closest("[data-theme-choice]");
    if (theme) {
      keep("vigie_theme", theme.dataset.themeChoice);
      document.documentElement.dataset.theme = theme.dataset.themeChoice;
      for (const button of document.querySelectorAll("[data-theme-choice]")) {
        button.setAttribute("aria-pressed", String(button === theme));
      }
    }
  });

  // Arrows move within a row of labels; the label page does so by itself, and chooses on the way.
  const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  document.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const row = event.target.closest?.("[role=radiogroup]");
    if (!step || !row || row.closest(".desk") || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const labels = [...row.querySelectorAll("[role=radio]")];
    labels[(labels.indexOf(event.target.closest("[role=radio]")) + step + labels.length) % labels.length].focus();
  });

  // NiceGUI shows #popup while the server is away; it speaks the visitor's language here.
  document.addEventListener("DOMContentLoaded", () => {
    const popup = document.getElementById("popup");
    if (popup) popup.replaceChildren(Object.assign(document.createElement("span"), { textContent: lost }));
  });
})();
