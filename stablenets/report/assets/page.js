"use strict";
// The address keeps the view: #claims?verdict=partly, #compare?family=plain, #chang2018-4b.
const report = JSON.parse(document.getElementById("report-data").textContent);
const SECTIONS = ["claims", "compare", "help"];
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

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function readAddress() {
  const [place, query = ""] = location.hash.slice(1).split("?");
  const given = new URLSearchParams(query);
  const params = {};
  for (const [key, value] of given) params[key] = value.split(",").filter(Boolean);
  if (SECTIONS.includes(place) || !place) return { section: place || "claims", params };
  const target = document.getElementById(decodeURIComponent(place));
  const section = target?.closest("main > section");
  return { section: section ? section.id.replace("section-", "") : "claims", params: {}, target };
}

function writeAddress(section, params) {
  const query = Object.entries(params)
    .filter(([, values]) => values.length)
    .map(([key, values]) => `${key}=${values.map(encodeURIComponent).join(",")}`);
  location.hash = query.length ? `${section}?${query.join("&")}` : section;
}

function checkedValues(form) {
  const params = {};
  for (const box of form.querySelectorAll("input[type=checkbox]:checked")) {
    (params[box.name] ??= []).push(box.value);
  }
  return params;
}

function showChoices(form, params) {
  for (const box of form.querySelectorAll("fieldset input[type=checkbox]")) {
    box.checked = (params[box.name] || []).includes(box.value);
  }
  for (const filter of form.querySelectorAll(".filter")) {
    const boxes = [...filter.querySelectorAll("input:checked")];
    let mark = filter.querySelector("summary b");
    if (!mark) filter.querySelector("summary").append(" ", (mark = element("b")));
    mark.textContent = boxes.length > 2 ? `${boxes.length} chosen` : boxes.map((box) => box.value).join(", ");
  }
}

function showClaims(params) {
  const form = document.getElementById("claim-filters");
  if (!form) return;
  showChoices(form, params);
  const words = (params.words || []).join(",");
  if (form.elements.words !== document.activeElement) form.elements.words.value = words;
  let shown = 0;
  for (const claim of document.querySelectorAll(".claim")) {
    const fits = ["paper", "kind", "verdict"].every(
      (key) => !params[key]?.length || params[key].includes(claim.dataset[key]),
    );
    const says = !words || wordsOf(claim).includes(words.toLowerCase());
    claim.hidden = !(fits && says);
    shown += claim.hidden ? 0 : 1;
  }
  for (const paper of document.querySelectorAll(".paper")) {
    paper.hidden = !paper.querySelector(".claim:not([hidden])");
  }
  const all = document.querySelectorAll(".claim").length;
  document.getElementById("claim-count").textContent = `${shown} of ${all} claims`;
}

// Headings, names of columns and commands are the same in all claims: a search skips them.
function wordsOf(claim) {
  const parts = [...claim.querySelectorAll("summary, td, li, dd, figcaption")];
  return parts.map((part) => part.textContent.toLowerCase()).join("\n");
}

function showPictures(details) {
  for (const image of details.querySelectorAll("img[data-figure]")) {
    const figure = report.figures[image.dataset.figure];
    Object.assign(image, { src: figure.uri, width: figure.width, height: figure.height });
    delete image.dataset.figure;
  }
}

async function showPage() {
  const { section, params, target } = readAddress();
  const isOther = document.getElementById(`section-${section}`).hidden;
  for (const name of SECTIONS) {
    document.getElementById(`section-${name}`).hidden = name !== section;
    const link = document.querySelector(`nav a[href="#${name}"]`);
    if (name === section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (section === "claims") showClaims(params);
  if (section === "compare" && report.count) {
    await (unpacking ??= loadComparison());
    showComparison(params);
  }
  if (isOther && !target) window.scrollTo(0, 0);
  if (target) {
    if (target.matches("details")) target.open = true;
    target.scrollIntoView();
    (target.querySelector("summary") || target).focus({ preventScroll: true });
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
  const form = document.getElementById("claim-filters");
  form?.addEventListener("input", () => {
    const words = form.elements.words.value;
    writeAddress("claims", { ...checkedValues(form), words: words ? [words] : [] });
  });
  form?.addEventListener("submit", (event) => event.preventDefault());
  for (const details of document.querySelectorAll(".claim, .pictures")) {
    details.addEventListener("toggle", () => details.open && showPictures(details));
  }
  nameTheme();
  window.addEventListener("hashchange", showPage);
  // the browser has its own scrolling to do while the page loads
  window.addEventListener("load", () => readAddress().target && setTimeout(showPage));
  showPage();
}
