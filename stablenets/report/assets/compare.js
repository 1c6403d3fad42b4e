"use strict";
// The comparison: filters, the table of configurations, and which of them are side by side.
const MOST_CHOSEN = 8;
const FIRST_ROWS = 25;
const LETTERS = "ABCDEFGH";
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
];
let showsAllRows = false;

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

function fits(one, params, except) {
  return FILTERS.every(
    ({ key, of }) =>
      key === except || !params[key]?.length || of(one).some((value) => params[key].includes(value)),
  );
}

function startComparison() {
  const place = document.getElementById("compare-choices");
  for (const { key, title, of } of FILTERS) {
    const values = [...new Set(report.configurations.flatMap(of))];
    if (values.length < 2) continue;
    values.sort((a, b) => a - b || a.localeCompare(b, "en", { numeric: true }));
    const boxes = values.map((value) =>
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
  const { section, params } = readAddress();
  return withStart(section === "compare" ? params : {});
}

function withStart(params) {
  return Object.keys(params).length ? params : structuredClone(report.start);
}

function showComparison(given) {
  const params = withStart(given);
  const form = document.getElementById("compare-filters");
  showChoices(form, params);
  const metric = report.metrics.find(({ id }) => id === params.metric?.[0]) || report.metrics[0];
  form.elements.metric.value = metric.id;
  document.getElementById("seeds").checked = Boolean(params.seeds?.length);
  countChoices(form, params);
  const rows = sortedRows(report.configurations.filter((one) => fits(one, params)), params, metric);
  const measured = rows.filter((one) => metric.id in one.values);
  document.getElementById("compare-count").textContent = countText(rows, measured, metric, params);
  const chosen = chosenRows(rows, params);
  showTable(rows, chosen, params, metric);
  showByDepth(measured, metric);
  showSideBySide(chosen, params);
}

function countText(rows, measured, metric, params) {
  if (!rows.length) {
    const others = report.configurations.filter((one) => fits(one, params, "depth"));
    const depths = [...new Set(others.map(({ depth }) => depth))].sort((a, b) => a - b);
    const hint = depths.length ? `; under the other filters there are the depths ${depths.join(", ")}` : "";
    return `No configuration fits all filters${hint}. The choices show how many there are of each.`;
  }
  const runs = rows.reduce((sum, one) => sum + one.runs.length, 0);
  const zeros = metric.is_log ? measured.filter((one) => one.values[metric.id][0] === 0).length : 0;
  return (
    `${rows.length} of ${report.configurations.length} configurations, ${runs} runs;` +
    ` ${measured.length} of the configurations have ${metric.title}.` +
    (zeros ? ` In ${zeros} of them it is 0, which a logarithmic axis cannot show; the table has them.` : "")
  );
}

function countChoices(form, params) {
  for (const { key, of } of FILTERS) {
    const counts = {};
    for (const one of report.configurations) {
      if (fits(one, params, key)) for (const value of of(one)) counts[value] = (counts[value] || 0) + 1;
    }
    for (const box of form.querySelectorAll(`input[name="${key}"]`)) {
      const count = counts[box.value] || 0;
      box.parentElement.querySelector(".count").textContent = count;
      box.parentElement.classList.toggle("none", !count && !box.checked);
    }
  }
}

function sortedRows(rows, params, metric) {
  const order = params.sort?.[0];
  if (!order) return rows;
  const key = order.replace(/^-/, "");
  const sign = order.startsWith("-") ? -1 : 1;
  const of = (one) => (key in one.values ? one.values[key][0] : one[key]);
  return [...rows].sort((a, b) => {
    const [first, second] = [of(a) ?? null, of(b) ?? null];
    if (first === null || second === null) return (first === null) - (second === null);
    return sign * (typeof first === "number" && typeof second === "number" ? first - second : String(first).localeCompare(String(second)));
  });
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

function columnsOf(metric) {
  const others = report.metrics.filter(({ id }) => id !== metric.id);
  return [metric, ...others];
}

function showTable(rows, chosen, params, metric) {
  const [first, ...metrics] = columnsOf(metric).filter(({ id }) => id === metric.id || rows.some((one) => id in one.values));
  const ids = params.run?.length ? params.run : chosen.map(({ id }) => id);
  const common = commonSettings(rows);
  document.getElementById("common").textContent = common.length ? `All rows have ${common.join(", ")}.` : "";
  const heads = [
    ["dataset", "data set"], ["family", "family"], ["depth", "depth"], [first.id, first.name], ["seeds", "seeds"],
    ["settings", "settings"], ["width", "width"], ["epochs", "epochs"], ["parameters", "parameters"], ...metrics.map(({ id, name }) => [id, name]),
  ];
  const order = params.sort?.[0] || "";
  const head = element("tr", {}, element("th", { scope: "col" }, "side by side"));
  for (const [key, title] of heads) {
    const isMetric = report.metrics.some(({ id }) => id === key); // its first order: largest first
    const next = order === (isMetric ? `-${key}` : key) ? (isMetric ? key : `-${key}`) : isMetric ? `-${key}` : key;
    const sort = order === key ? "ascending" : order === `-${key}` ? "descending" : "none";
    const button = element("button", { type: "button" }, title);
    button.addEventListener("click", () => writeAddress("compare", { ...params, sort: [next] }));
    head.append(element("th", { scope: "col", "aria-sort": sort }, button));
  }
  const body = element("tbody");
  for (const one of showsAllRows ? rows : rows.slice(0, FIRST_ROWS)) {
    const box = element("input", { type: "checkbox", checked: ids.includes(one.id) });
    box.setAttribute("aria-label", `Side by side: ${nameOf(one)}`);
    box.addEventListener("change", () => {
      const others = ids.filter((id) => id !== one.id);
      const isFull = box.checked && others.length >= MOST_CHOSEN;
      document.getElementById("full").hidden = !isFull;
      if (isFull) box.checked = false;
      else writeAddress("compare", { ...params, run: box.checked ? [...others, one.id] : others });
    });
    const letter = chosen.includes(one) ? LETTERS[chosen.indexOf(one)] : "";
    const diverged = one.diverged ? `, ${one.diverged} diverged` : "";
    body.append(
      element(
        "tr",
        {},
        element("td", { className: "number" }, box, ` ${letter}`),
        element("td", {}, one.dataset),
        element("td", {}, one.family),
        element("td", {}, String(one.depth)),
        element("td", { className: "number" }, resultText(one.values[first.id])),
        element("td", {}, `${one.seeds}${diverged}`),
        element("td", { className: "settings" }, settingsOf(one, common)),
        element("td", {}, one.width),
        element("td", {}, String(one.epochs)),
        element("td", { className: "number" }, numberText(one.parameters)),
        ...metrics.map(({ id }) => element("td", { className: "number" }, resultText(one.values[id]))),
      ),
    );
  }
  const table = element("table", {}, element("thead", {}, head), body);
  document.getElementById("table").replaceChildren(table);
  const more = document.getElementById("more");
  more.hidden = showsAllRows || rows.length <= FIRST_ROWS;
  more.textContent = `Show all ${rows.length} rows`;
}
