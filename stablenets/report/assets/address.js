"use strict";
// The address keeps the view: #claims?verdict=partly, #compare?family=plain, #chang2018-4b.
const report = JSON.parse(document.getElementById("report-data").textContent);
const SECTIONS = ["claims", "compare", "help"];
const MOST_NAMED = 40; // values in a message

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// What the address asks for: a section with its filters; or a part of the page, its target. A name
// that no part has is `missing`.
function readAddress() {
  const [place, query = ""] = location.hash.slice(1).split("?");
  const params = {};
  for (const [key, value] of new URLSearchParams(query)) params[key] = value.split(",").filter(Boolean);
  if (SECTIONS.includes(place) || !place) return { section: place || "claims", params };
  const name = decodeURIComponent(place);
  const target = document.getElementById(name);
  if (!target) return { section: "claims", params: {}, missing: name };
  const section = target.closest("main > section") || document.querySelector("main > section:not([hidden])");
  return { section: section.id.replace("section-", ""), params: {}, target };
}

function addressOf(section, params) {
  const query = Object.entries(params)
    .filter(([, values]) => values.length)
    .map(([key, values]) => `${key}=${values.map(encodeURIComponent).join(",")}`);
  return query.length ? `${section}?${query.join("&")}` : section;
}

function writeAddress(section, params) {
  location.hash = addressOf(section, params);
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
    const names = boxes.map((box) => box.dataset.name || box.value);
    mark.textContent = boxes.length > 2 ? `${boxes.length} chosen` : names.join(", ");
  }
}

// A sentence on each value of the address that no filter knows; "" if all are known.
function unknownText(params, filters) {
  return filters
    .map(({ key, title, values }) => {
      const unknown = (params[key] || []).filter((value) => !values.includes(value));
      if (!unknown.length) return "";
      const known = values.length > MOST_NAMED ? "" : ` There are: ${values.join(", ")}.`;
      return `${title} has no value ${unknown.map((value) => `"${value}"`).join(", ")}, which the address asks for.${known} `;
    })
    .join("");
}
