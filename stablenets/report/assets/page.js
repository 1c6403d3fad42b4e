"use strict";
// Sections, links and the theme: shows what the address asks for.
const views = {}; // the filters of each section, to which its link at the top comes back
let followsLink = true; // if the address came from a link, the page may scroll
let unpacking; // the data of the comparison, from its first view on

// The data of the comparison are packed: base64 of gzip of JSON.
async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

async function loadComparison() {
  report.configurations = await unpack(document.getElementById("comparison-data").textContent);
  startComparison();
}

function showPictures(details) {
  for (const image of details.querySelectorAll("img[data-figure]")) {
    const figure = report.figures[image.dataset.figure];
    Object.assign(image, { src: figure.uri, width: figure.width, height: figure.height });
    delete image.dataset.figure;
  }
}

async function showPage() {
  const { section, params, target, missing } = readAddress();
  const mayScroll = followsLink;
  followsLink = false;
  const isOther = document.getElementById(`section-${section}`).hidden;
  const view = target ? views[section] || {} : params;
  views[section] = view;
  for (const name of SECTIONS) {
    document.getElementById(`section-${name}`).hidden = name !== section;
    const link = document.getElementById(`link-${name}`);
    link.href = `#${addressOf(name, views[name] || {})}`;
    if (name === section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (section === "claims") showClaims(view, missing);
  if (section === "claims" && target?.closest("[hidden]")) showClaims((views.claims = {}));
  if (isOther && !target) window.scrollTo(0, 0);
  if (section === "compare" && report.count) {
    await (unpacking ??= loadComparison());
    await showComparison(view);
  }
  if (mayScroll || target || missing) scrollToTarget();
}

// Scrolls to what the address names: a part of the page, or the rows that are side by side.
function scrollToTarget() {
  const { section, params, target, missing } = readAddress();
  if (missing) document.getElementById("claim-filters")?.scrollIntoView();
  else if (target) {
    for (let part = target.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
    target.scrollIntoView();
    (target.querySelector("summary") || target).focus({ preventScroll: true });
  } else if (section === "compare" && params.run?.length) {
    document.getElementById("side-by-side").scrollIntoView();
  }
}

function noteLink(event) {
  const link = event.target.closest("a[href^='#']");
  if (!link) return;
  const isSame = link.getAttribute("href") === location.hash; // then the address does not change
  if (link.closest("nav")) {
    if (isSame) window.scrollTo(0, 0);
  } else if (isSame) scrollToTarget();
  else followsLink = true;
}

function closeFilters(event) {
  if (event.key !== "Escape") return;
  for (const filter of document.querySelectorAll(".filter[open]")) {
    if (filter.contains(document.activeElement)) filter.querySelector("summary").focus();
    filter.open = false;
  }
}

function nameTheme() {
  const isDark = document.documentElement.dataset.theme === "dark";
  document.getElementById("theme").textContent = isDark ? "Light" : "Dark";
}

function setTheme(name) {
  applyTheme(name);
  nameTheme();
  if (!document.getElementById("section-compare").hidden) showPage();
}

function startPage() {
  document.getElementById("theme").addEventListener("click", () => {
    const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("stablenets-theme", name);
    } catch {
      // the choice then holds until the page is closed
    }
    setTheme(name);
  });
  systemIsDark.addEventListener("change", () => {
    if (!storedTheme()) setTheme(systemIsDark.matches ? "dark" : "light");
  });
  startClaims();
  for (const details of document.querySelectorAll(".claim, .pictures")) {
    details.addEventListener("toggle", () => details.open && showPictures(details));
  }
  nameTheme();
  document.addEventListener("click", noteLink);
  document.addEventListener("keydown", closeFilters);
  window.addEventListener("hashchange", showPage);
  const shown = showPage();
  // the browser has its own scrolling to do while the page loads
  window.addEventListener("load", () => setTimeout(() => shown.then(scrollToTarget)));
}

startPage();
