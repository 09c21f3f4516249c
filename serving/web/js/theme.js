// Owns the choice of light or dark before anything is drawn. The choice is all that outlives the tab.
"use strict";
(() => {
  const THEMES = ["auto", "light", "dark"];
  const read = () => {
    try {
      return localStorage.getItem("twohands-theme");
    } catch {
      return null; // storage is switched off: the theme follows the system
    }
  };
  const apply = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  };
  let theme = THEMES.includes(read()) ? read() : "auto";
  apply(theme);
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme-button");
    const tell = () => {
      button.textContent = `Theme: ${theme}`;
    };
    tell();
    button.addEventListener("click", () => {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      apply(theme);
      tell();
      dispatchEvent(new CustomEvent("themechange"));
      try {
        localStorage.setItem("twohands-theme", theme);
      } catch {
        // as above
      }
    });
  });
})();
