"use strict";
// The comparison: shows the filters, the chart by depth, the table and the chosen rows of a view.
const MOST_CHOSEN = 8;
const LETTERS = "ABCDEFGH";

function numberText(value) {
  if (value === null || value === undefined) return "";
  const size = Math.abs(value);
  if (size && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

function resultText(values) {
  if (!values) return "";
  const [mean, low, high] = values;
  return numberText(mean) + (low === null ? "" : ` [${numberText(low)}, ${numberText(high)}]`);
}

function settingsOf(one, common = []) {
  const purpose = one.purpose === "search" ? ["in a search"] : [];
  const others = one.settings.filter((text) => !common.includes(text));
  const rest = common.length ? "as all" : "defaults";
  return [...purpose, others.join(", ") || rest].join(": ");
}

function commonSettings(rows) {
  if (rows.length < 2) return [];
  return rows[0].settings.filter((text) => rows.every((one) => one.settings.includes(text)));
}

function nameOf(one) {
  return `${one.dataset}, ${one.family}, depth ${one.depth}, width ${one.width}, epochs ${one.epochs}, ${settingsOf(one)}`;
}

function startComparison() {
  startFilters();
  const form = document.getElementById("compare-filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    const { run = [], seeds = [], sort = [] } = currentParams();
    const chosen = checkedValues(form);
    // without a filter the starting view would come back
    const all = Object.keys(chosen).length ? [] : ["1"];
    writeAddress("compare", { ...chosen, all, metric: [form.elements.metric.value], sort, run, seeds });
  });
  document.getElementById("seeds").addEventListener("change", (event) => {
    writeAddress("compare", { ...currentParams(), seeds: event.target.checked ? ["1"] : [] });
  });
  document.getElementById("untick").addEventListener("click", () => {
    writeAddress("compare", { ...currentParams(), run: [] });
  });
  document.getElementById("more").addEventListener("click", () => {
    showsAllRows = true;
    showPage();
  });
  let width = window.innerWidth;
  let waiting;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if (window.innerWidth === width) return;
      width = window.innerWidth;
      if (!document.getElementById("section-compare").hidden) showPage();
    }, 200);
  });
}

function currentParams() {
  return withStart(views.compare || {});
}

function withStart(params) {
  return Object.keys(params).length ? params : structuredClone(report.start);
}

// Resolves once the chart by depth has its size, so that a link can scroll to what is below it.
async function showComparison(given) {
  const params = withStart(given);
  document.getElementById("full").hidden = true;
  const form = document.getElementById("compare-filters");
  showChoices(form, params);
  const metric = report.metrics.find(({ id }) => id === params.metric?.[0]) || report.metrics[0];
  form.elements.metric.value = metric.id;
  document.getElementById("seeds").checked = Boolean(params.seeds?.length);
  const { sort = [], run = [], seeds = [] } = params;
  const all = addressOf("compare", { all: ["1"], metric: params.metric || [], sort, run, seeds });
  document.getElementById("show-all").href = `#${all}`;
  countChoices(form, params);
  const rows = sortedRows(report.configurations.filter((one) => fits(one, params)), params);
  const measured = rows.filter((one) => metric.id in one.values);
  document.getElementById("compare-count").textContent = countText(rows, measured, metric, params);
  const chosen = chosenRows(rows, params);
  showTable(rows, chosen, params, metric);
  const drawn = showByDepth(measured, metric);
  showSideBySide(chosen, params);
  await drawn;
}

function chosenRows(rows, params) {
  const byId = Object.fromEntries(report.configurations.map((one) => [one.id, one]));
  const ticked = (params.run || []).map((id) => byId[id]).filter(Boolean);
  if (ticked.length) return ticked.slice(0, MOST_CHOSEN);
  const worth = (one) => [one.heat ? one.heat.steps.length > 2 : -1, one.settings.length ? 0 : 1];
  const better = (a, b) => worth(b).map((value, at) => value - worth(a)[at]).find(Boolean) || 0;
  const depths = [...new Set(rows.map(({ depth }) => depth))];
  const ofDepth = (depth) => {
    const families = new Map();
    for (const one of rows.filter((row) => row.depth === depth).sort(better)) {
      if (!families.has(one.family)) families.set(one.family, one);
    }
    return families;
  };
  const byDepth = depths.map((depth) => [depth, ofDepth(depth)]);
  const [, families] = byDepth.sort((a, b) => b[1].size - a[1].size || b[0] - a[0])[0] || [0, new Map()];
  const usual = report.usual.filter((name) => families.has(name));
  return (usual.length > 1 ? usual.map((name) => families.get(name)) : [...families.values()]).slice(0, 6);
}
