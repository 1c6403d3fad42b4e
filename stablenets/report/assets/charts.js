"use strict";
// Gives the specifications of the page their rows and widths; Vega draws them.
const MOST_POINTS = 100; // in the chart by depth: more cannot be told apart
const ERRORS_ONLY = 1; // Vega warns of panels without rows
let drawing = 0; // a later view ends the drawing of an earlier one

function loadLibrary() {
  if (window.vegaEmbed) return;
  document.head.append(element("script", { textContent: document.getElementById("chart-library").textContent }));
}

function fitted(name, rows, width) {
  const spec = structuredClone(report.specs[name]);
  spec.datasets = { rows };
  if (!spec.facet) {
    spec.width = width - 20;
    spec.autosize = { type: "fit-x", contains: "padding" };
    return spec;
  }
  const panels = new Set(rows.map((row) => row[spec.facet.field])).size;
  spec.columns = Math.max(1, Math.min(panels, Math.floor(width / 330)));
  spec.spec.width = Math.floor((width - 85) / spec.columns - 22);
  return spec;
}

function showLegendOf(spec, field, values) {
  if (Array.isArray(spec) || (spec && typeof spec === "object")) {
    for (const [key, part] of Object.entries(spec)) {
      if (["color", "shape", "strokeDash"].includes(key) && part?.field === field) part.legend = { values, symbolOpacity: 1 };
      else if (key !== "datasets") showLegendOf(part, field, values);
    }
  }
}

function numbersTable(rows) {
  const names = Object.keys(rows[0]).filter((name) => name !== "id");
  const body = rows.slice(0, 300).map((row) =>
    element(
      "tr",
      {},
      ...names.map((name) =>
        element("td", {}, typeof row[name] === "number" ? numberText(row[name]) : String(row[name] ?? "")),
      ),
    ),
  );
  const head = element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)));
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  const scroll = element("div", { className: "scroll numbers", tabIndex: 0, role: "region" }, table);
  scroll.setAttribute("aria-label", "Numbers of the chart");
  return rows.length > 300 ? [scroll, element("p", {}, `The first 300 of ${rows.length} rows.`)] : [scroll];
}

async function draw(place, { name, title, note, rows, wide }, turn) {
  const chart = element("div", { className: "chart" });
  const numbers = element("details", {}, element("summary", {}, "Numbers of this chart"));
  numbers.addEventListener("toggle", () => {
    if (numbers.open && numbers.children.length === 1) numbers.append(...numbersTable(rows));
  });
  const caption = element("figcaption", {}, note);
  const figure = element("figure", { className: wide ? "wide" : "" }, element("h4", {}, title));
  figure.append(...(rows.length ? [chart, caption, numbers] : [element("p", { className: "muted" }, note)]));
  place.append(figure);
  if (!rows.length) return;
  const spec = fitted(name, rows, chart.clientWidth);
  spec.description = `${title}. ${note}`;
  const field = name.startsWith("by_depth") ? "family" : "letter";
  showLegendOf(spec, field, [...new Set(rows.map((row) => row[field]))]);
  const config = structuredClone(report.themes[document.documentElement.dataset.theme]);
  config.legend.columns = Math.max(2, Math.floor(chart.clientWidth / 170));
  if (turn !== drawing) return;
  const options = { mode: "vega-lite", renderer: "svg", actions: false, logLevel: ERRORS_ONLY, config, tooltip: { theme: "custom" } };
  const { view } = await vegaEmbed(chart, spec, options);
  view.addEventListener("click", (event, item) => toggleChosen(item?.datum?.id));
}

function toggleChosen(id) {
  if (!id) return;
  const params = currentParams();
  const ids = params.run || [];
  const others = ids.filter((other) => other !== id);
  const isFull = others.length === ids.length && ids.length >= MOST_CHOSEN;
  document.getElementById("full").hidden = !isFull;
  if (!isFull) writeAddress("compare", { ...params, run: others.length === ids.length ? [...ids, id] : others });
}

// Resolves once the chart is drawn.
function showByDepth(measured, metric) {
  const shown = measured.length > MOST_POINTS ? [] : measured;
  const rows = shown.map((one) => {
    const [value, low, high] = one.values[metric.id];
    const { id, dataset, family, depth, width, epochs, seeds, diverged } = one;
    const [settings, result] = [settingsOf(one), resultText(one.values[metric.id])];
    return { id, dataset, family, depth, width, epochs, settings, value, low, high, result, seeds, diverged };
  });
  loadLibrary();
  drawing += 1;
  const place = document.getElementById("by-depth");
  place.replaceChildren();
  const note = rows.length
    ? "A point for each configuration, with its 95 % interval. Families are beside each other within a depth;" +
      " colour and shape together name a family. A click on a name in the legend dims the other families, a second click ends that." +
      " A click on a point ticks its row in the table, and puts it side by side with others below." +
      " Points of a family are joined if it has one configuration at each depth."
    : measured.length
      ? `${measured.length} configurations are too many for a chart. Choose at most ${MOST_POINTS} by the` +
        " filters, for example one data set and one source."
      : `No configuration here has ${metric.title}.`;
  const title = `${metric.title} by depth`;
  return draw(place, { name: `by_depth_${metric.id}`, title, note, rows, wide: true }, drawing);
}

function lineRows(chosen, name, showsSeeds, moment) {
  const rows = [];
  chosen.forEach((one, place) => {
    const letter = LETTERS[place];
    const add = (line, seed) =>
      line?.x.forEach((x, index) => {
        const row = { letter, name: nameOf(one), seed, x, y: line.y[index] };
        if (line.low) Object.assign(row, { low: line.low[index], high: line.high[index] });
        rows.push(moment ? { moment, ...row } : row);
      });
    if (!showsSeeds || one.runs.length === 1) add(one.lines[name], "mean");
    else for (const run of one.runs) add(run.lines[name], String(run.seed));
  });
  return rows;
}

function mapRows(chosen) {
  const rows = [];
  chosen.forEach((one, place) => {
    if (!isMeasuredDuringTraining(one)) return;
    const { steps, layers, values } = one.heat;
    const panel = `${LETTERS[place]}: ${one.family}, ${one.dataset}, depth ${one.depth}`;
    const [stepEnds, layerEnds] = [middles(steps), middles(layers)];
    steps.forEach((step, row) =>
      layers.forEach((layer, column) =>
        rows.push({
          panel,
          step,
          layer,
          value: values[row][column],
          step_low: stepEnds[row],
          step_high: stepEnds[row + 1],
          layer_low: layerEnds[column],
          layer_high: layerEnds[column + 1],
        }),
      ),
    );
  });
  return rows;
}

function isMeasuredDuringTraining(one) {
  return Boolean(one.heat && one.heat.steps.length > 2);
}

function middles(positions) {
  const inner = positions.slice(1).map((position, index) => (position + positions[index]) / 2);
  const last = positions[positions.length - 1];
  return [positions[0], ...inner, positions.length > 1 ? last : last + 1];
}
