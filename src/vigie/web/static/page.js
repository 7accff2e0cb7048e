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

  // NiceGUI shows #popup while the server is away; it speaks the visitor's language here.
  document.addEventListener("DOMContentLoaded", () => {
    const popup = document.getElementById("popup");
    if (popup) popup.replaceChildren(Object.assign(document.createElement("span"), { textContent: lost }));
  });
})();
