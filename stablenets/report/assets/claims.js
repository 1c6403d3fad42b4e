"use strict";
// The claims: filters, and which claims, findings and papers are shown.
const CLAIM_FILTERS = [
  { key: "paper", title: "Paper", of: (claim) => [claim.dataset.paper] },
  { key: "kind", title: "Kind", of: (claim) => [claim.dataset.kind] },
  { key: "verdict", title: "Verdict", of: (claim) => [claim.dataset.verdict] },
  { key: "criteria", title: "Criteria", of: (claim) => claim.dataset.states.split(" ") },
];

function startClaims() {
  const form = document.getElementById("claim-filters");
  if (!form) return;
  for (const filter of CLAIM_FILTERS) {
    filter.values = [...form.querySelectorAll(`input[name="${filter.key}"]`)].map((box) => box.value);
  }
  form.addEventListener("input", () => {
    const words = form.elements.words.value;
    writeAddress("claims", { ...checkedValues(form), words: words ? [words] : [] });
  });
  form.addEventListener("submit", (event) => event.preventDefault());
}

// A name that no part of the page has shows the claims that begin with it, such as 4a and 4b for 4.
function showClaims(params, missing) {
  const form = document.getElementById("claim-filters");
  if (!form) return;
  showChoices(form, params);
  const words = (params.words || []).join(",");
  if (form.elements.words !== document.activeElement) form.elements.words.value = words;
  const search = words.trim() ? searchFor(words) : null;
  const claims = [...document.querySelectorAll(".claim")];
  const near = missing ? claims.filter(({ id }) => id.startsWith(missing)) : [];
  for (const claim of claims) {
    const fits = CLAIM_FILTERS.every(
      ({ key, of }) => !params[key]?.length || of(claim).some((value) => params[key].includes(value)),
    );
    const isFound = fits && (!search || search(textOfClaim(claim)));
    claim.hidden = near.length ? !near.includes(claim) : !isFound;
  }
  const points = showPapers(params, search);
  const shown = claims.filter((claim) => !claim.hidden).length;
  const count = document.getElementById("claim-count");
  count.textContent =
    (missing ? missingText(missing, near) : unknownText(params, CLAIM_FILTERS)) +
    `${shown} of ${claims.length} claims` +
    (search ? `; findings and limits of papers: ${points}` : "");
  const others = countComparisonPoints(search);
  if (others) count.append("; ", element("a", { href: "#findings-compare" }, `findings of the comparison: ${others}`));
}

// Shows the papers that have something to show; returns the number of findings and limits that fit.
function showPapers(params, search) {
  const isOfClaims = ["kind", "verdict", "criteria"].some((key) => params[key]?.length);
  let points = 0;
  for (const paper of document.querySelectorAll(".paper")) {
    const isChosen = !params.paper?.length || params.paper.includes(paper.dataset.paper);
    const never = () => false; // findings and limits have no kind and no verdict
    const found = searchPoints(paper, search && (isOfClaims || !isChosen ? never : search));
    const all = paper.querySelectorAll(".claim").length;
    const shown = paper.querySelectorAll(".claim:not([hidden])").length;
    paper.hidden = !shown && !found;
    paper.querySelector(".shown").textContent = shown < all ? `${shown} shown here. ` : "";
    points += found;
  }
  return points;
}

function missingText(missing, near) {
  const names = near.map((claim) => claim.id).join(", ");
  return `There is no claim and no other part of this page with the address #${missing}. ` + (names ? `Near it: ${names}. ` : "");
}
