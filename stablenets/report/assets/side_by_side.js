"use strict";
// The chosen configurations side by side: numbers, charts, commands.
const MOMENTS = [
  ["first", "before training"],
  ["last", "last measurement"],
];

function showSideBySide(chosen, params) {
  const showsSeeds = Boolean(params.seeds?.length);
  document.getElementById("selection-note").textContent = !chosen.length
    ? "Nothing to show."
    : params.run?.length
      ? `The ticked rows: ${chosen.length}. They stay ticked if filters change.`
      : `Chosen to start with: families at depth ${chosen[0].depth}. Tick rows to choose others.`;
  document.getElementById("untick").hidden = !params.run?.length;
  showNumbers(chosen);
  showCommands(chosen);
  const place = document.getElementById("charts");
  place.replaceChildren();
  const turn = drawing;
  const charts = chosen.length ? chartsOf(chosen, showsSeeds) : [];
  (async () => {
    for (const chart of charts) {
      if (turn !== drawing) return;
      await draw(place, chart, turn);
    }
  })();
}

function showNumbers(chosen) {
  const metrics = report.metrics.filter(({ id }) => chosen.some((one) => id in one.values));
  const head = element(
    "tr",
    {},
    ...["row", "configuration", "seeds", ...metrics.map(({ name }) => name), "parameters"].map(
      (title) => element("th", { scope: "col" }, title),
    ),
  );
  const body = chosen.map((one, place) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, `${LETTERS[place]} ${one.family}, depth ${one.depth}`),
      element("td", { className: "settings" }, nameOf(one)),
      element("td", {}, String(one.seeds)),
      ...metrics.map(({ id }) => element("td", { className: "number" }, resultText(one.values[id]))),
      element("td", {}, numberText(one.parameters)),
    ),
  );
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  document.getElementById("selection").replaceChildren(...(chosen.length ? [table] : []));
}

function chartsOf(chosen, showsSeeds) {
  const spread = showsSeeds
    ? "A line for each seed."
    : "Lines are means over seeds, bands go from the smallest to the largest seed.";
  const moments = (name) =>
    MOMENTS.flatMap(([end, moment]) => lineRows(chosen, `${name}_${end}`, showsSeeds, moment));
  const probes = [
    {
      name: "heat",
      title: "Gradient norms over depth and training",
      note:
        "The norm of ∂Loss/∂Y_l by layer and training step, on one colour scale: mean over seeds." +
        " A cell reaches half-way to the next measurement; grey is 0.",
      rows: mapRows(chosen),
      wide: true,
    },
    { name: "gradients", title: "Gradient norms over depth", note: spread, rows: moments("gradients"), wide: true },
    {
      name: "ratio",
      title: "Gradient at the first / last state, over training",
      note: `Near 1 the gradient arrives at the first layer. ${spread}`,
      rows: lineRows(chosen, "ratio", showsSeeds),
    },
    {
      name: "spectrum",
      title: "Singular values of ∂Y_L/∂Y_0",
      note:
        "From the largest to the smallest. Of many runs only the largest, the median and the smallest" +
        ` are kept. Rounding errors are left out. ${spread}`,
      rows: moments("spectrum"),
      wide: true,
    },
  ];
  const missing = {
    heat: lineRows(chosen, "gradients_last", false).length
      ? `Of these runs, gradients are known at two steps at most, before and after training: see the next chart. ${toFind("gradients_over_time", "probe.every")}`
      : `No gradients were kept of these runs. ${toFind("gradients", "probe.every")}`,
    spectrum: `No singular values were kept of these runs. ${toFind("spectra", "probe.spectrum_examples")}`,
  };
  const curves = report.curves
    .map(({ name, title }) => ({
      name,
      title: `${title} by epoch`,
      note: spread + withoutLine(chosen, name),
      rows: lineRows(chosen, name, showsSeeds),
    }))
    .filter(({ rows }) => rows.length);
  if (!curves.length) {
    const note = `No learning curves were kept of these runs. ${toFind("curves")}`;
    curves.push({ name: "train_loss", title: "Learning curves", note, rows: [] });
  }
  const shown = probes.filter(({ name, rows }) => rows.length || name in missing);
  return [
    ...shown.map((chart) => (chart.rows.length ? chart : { ...chart, note: missing[chart.name] })),
    ...curves,
  ];
}

function toFind(kept, option) {
  const advice = option ? ` If you make runs of your own, the option ${option} keeps them.` : "";
  return `The choice "${kept}" of the filter Kept shows runs that have them.${advice}`;
}

function withoutLine(chosen, name) {
  const letters = chosen.map((one, place) => (one.lines[name] ? "" : LETTERS[place])).filter(Boolean);
  return letters.length ? ` Not kept of ${letters.join(", ")}.` : "";
}

function showCommands(chosen) {
  const place = document.getElementById("commands");
  place.replaceChildren(
    ...chosen.map((one, number) => {
      const summary = element("summary", {}, element("span", { className: "letter" }, LETTERS[number]), nameOf(one));
      const details = element("details", { className: "limits" }, summary);
      details.addEventListener("toggle", () => {
        if (details.open && details.children.length === 1) details.append(...runsOf(one));
      });
      return details;
    }),
  );
}

function runsOf(one) {
  const metrics = report.metrics.filter(({ id }) => one.runs.some((run) => id in run.values));
  const titles = ["seed", "status", ...metrics.map(({ name }) => name), "commit", "run"];
  const head = element("tr", {}, ...titles.map((title) => element("th", { scope: "col" }, title)));
  const body = one.runs.map((run) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, String(run.seed)),
      element("td", {}, run.status),
      ...metrics.map(({ id }) => element("td", { className: "number" }, numberText(run.values[id]))),
      element("td", {}, run.commit),
      element("td", {}, run.name),
    ),
  );
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  const claims = one.claims.flatMap((claim) => [" ", element("a", { href: `#${claim}` }, claim)]);
  return [
    element("p", {}, `From ${one.origins.join(", ")}.`, ...(claims.length ? [" Decides:", ...claims] : [])),
    element("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "Single runs" }, table),
    element("p", {}, "Commands that make these runs again:"),
    element("pre", { className: "command", tabIndex: 0 }, one.runs.map((run) => run.command).join("\n\n")),
    ...(one.left_out.length ? [element("p", {}, "Options that the commands leave at their defaults: ", element("code", {}, one.left_out.join(" ")))] : []),
  ];
}

