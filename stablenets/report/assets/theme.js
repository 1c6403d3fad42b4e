"use strict";
// Light or dark before the first paint: the reader's choice, or else that of the system.
const systemIsDark = window.matchMedia("(prefers-color-scheme: dark)");

function storedTheme() {
  try {
    return localStorage.getItem("stablenets-theme");
  } catch {
    return null; // a browser may refuse storage to files
  }
}

function applyTheme(name) {
  document.documentElement.dataset.theme = name;
}

applyTheme(storedTheme() || (systemIsDark.matches ? "dark" : "light"));
