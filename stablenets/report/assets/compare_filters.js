"use strict";
// The filters of the comparison: their choices, and how many configurations each would show.
const FILTERS = [
  { key: "dataset", title: "Data set", of: (one) => [one.dataset] },
  { key: "family", title: "Family", of: (one) => [one.family] },
  { key: "depth", title: "Depth", of: (one) => [String(one.depth)] },
  { key: "width", title: "Width", of: (one) => [one.width] },
  { key: "epochs", title: "Epochs", of: (one) => [String(one.epochs)] },
  { key: "operator", title: "Operator", of: (one) => [one.operator] },
  { key: "origin", title: "Source", of: (one) => one.origins },
  { key: "purpose", title: "Purpose", of: (one) => [one.purpose] },
  { key: "claim", title: "Claim", of: (one) => one.claims },
  // of several choices, a configuration has all
  { key: "kept", title: "Kept", of: (one) => one.kept, needsAll: true },
];

function fitsFilter(one, params, { key, of, needsAll }) {
  const chosen = params[key] || [];
  if (!chosen.length) return true;
  const own = of(one);
  return needsAll ? chosen.every((value) => own.includes(value)) : chosen.some((value) => own.includes(value));
}

function fits(one, params, without) {
  return FILTERS.every((filter) => filter === without || fitsFilter(one, params, filter));
}

function startFilters() {
  const place = document.getElementById("compare-choices");
  for (const filter of FILTERS) {
    const { key, title, of } = filter;
    filter.values = [...new Set(report.configurations.flatMap(of))];
    filter.values.sort((a, b) => a - b || a.localeCompare(b, "en", { numeric: true }));
    if (filter.values.length < 2) continue;
    const boxes = filter.values.map((value) =>
      element(
        "label",
        {},
        element("input", { type: "checkbox", name: key, value }),
        ` ${value} `,
        element("span", { className: "count" }),
      ),
    );
    place.append(
      element(
        "details",
        { className: "filter" },
        element("summary", {}, title),
        element("fieldset", {}, element("legend", { className: "hidden" }, title), ...boxes),
      ),
    );
  }
}

function activeFilters(params) {
  return FILTERS.filter(({ key }) => params[key]?.length);
}

// Beside each value: how many configurations have it, or which filter hides them.
function countChoices(form, params) {
  const active = activeFilters(params);
  const failed = report.configurations.map((one) => active.filter((filter) => !fitsFilter(one, params, filter)));
  for (const filter of FILTERS) {
    const [counts, hiding] = [{}, {}];
    report.configurations.forEach((one, index) => {
      const others = failed[index].filter((other) => other !== filter || filter.needsAll);
      if (others.length > 1) return;
      for (const value of filter.of(one)) {
        if (others.length) hiding[value] = others[0].title;
        else counts[value] = (counts[value] || 0) + 1;
      }
    });
    for (const box of form.querySelectorAll(`input[name="${filter.key}"]`)) {
      const count = counts[box.value] || 0;
      box.parentElement.querySelector(".count").textContent = count || `hidden by ${hiding[box.value] || "several filters"}`;
      box.parentElement.classList.toggle("none", !count && !box.checked);
    }
  }
}

function countText(rows, measured, metric, params) {
  const ids = report.configurations.map(({ id }) => id);
  const unknown = unknownText(params, [...FILTERS, { key: "run", title: "Side by side", values: ids }]);
  if (!rows.length) return `${unknown}No configuration fits all filters. ${hintText(params)}`;
  const runs = rows.reduce((sum, one) => sum + one.runs.length, 0);
  const zeros = metric.is_log ? measured.filter((one) => one.values[metric.id][0] === 0).length : 0;
  return (
    `${unknown}${rows.length} of ${report.configurations.length} configurations, ${runs} runs;` +
    ` ${measured.length} of the configurations have ${metric.title}.` +
    (zeros ? ` In ${zeros} of them it is 0, which a logarithmic axis cannot show; the table has them.` : "")
  );
}

// What there would be without one of the filters, if no configuration fits all of them.
function hintText(params) {
  const hints = activeFilters(params).map((filter) => {
    const { key, title, of } = filter;
    const found = report.configurations.filter((one) => fits(one, params, filter));
    const values = [...new Set(found.flatMap(of))].sort((a, b) => a - b);
    if (!found.length) return "";
    if (key === "depth") return `Under the other filters there are the depths ${values.join(", ")}.`;
    return `Without the filter ${title} there are ${found.length}.`;
  });
  return hints.join(" ");
}
