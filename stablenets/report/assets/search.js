"use strict";
// The search for words in claims, findings and limits.
const textsOfClaims = new Map(); // plain texts; they never change

// Small letters, and numbers without thousands separators.
function plainText(text) {
  return text.toLowerCase().replace(/(\d),(?=\d{3}(?!\d))/g, "$1");
}

// A function that says whether each of the words begins a word of a plain text.
function searchFor(words) {
  const parts = plainText(words).split(/\s+/).filter(Boolean);
  const patterns = parts.map((part) => {
    const escaped = part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    return new RegExp(`(?<![\\p{L}\\p{N}]|\\d\\.)${escaped}`, "u");
  });
  return (text) => patterns.every((pattern) => pattern.test(text));
}

// Headings, names of columns and commands are the same in all claims: a search skips them.
function textOfClaim(claim) {
  if (!textsOfClaims.has(claim)) {
    const parts = [...claim.querySelectorAll("summary, td, li, dd, figcaption")];
    textsOfClaims.set(claim, plainText(parts.map((part) => part.textContent).join("\n")));
  }
  return textsOfClaims.get(claim);
}

// Shows the findings and limits that fit, and opens their lists; returns their number. Without a
// search all are shown, and the lists that a search has opened are closed.
function searchPoints(place, search) {
  let count = 0;
  for (const list of place.querySelectorAll(".points")) {
    const points = [...list.querySelectorAll(":scope > ul > li")];
    for (const point of points) point.hidden = Boolean(search) && !search(plainText(point.textContent));
    const found = search ? points.filter((point) => !point.hidden).length : 0;
    if (search && found) list.dataset.opened = list.open = true;
    else if (list.dataset.opened) list.open = false;
    if (!search) delete list.dataset.opened;
    list.hidden = Boolean(search) && !found;
    count += found;
  }
  return count;
}

// The number of findings about all families that fit: they are in another section.
function countComparisonPoints(search) {
  const points = [...document.querySelectorAll("#section-compare .pictures > ul > li")];
  return search ? points.filter((point) => search(plainText(point.textContent))).length : 0;
}
