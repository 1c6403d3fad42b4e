"use strict";
// The table of configurations: columns, order, and the boxes that put rows side by side.
const FIRST_ROWS = 25;
const FROZEN = [0, 2, 3]; // the box, family and depth stay in sight if the table is scrolled sideways
const ORDERS = { "": "smallest first", "-": "largest first", "~": "nearest to 1 first" };
let showsAllRows = false;

// The orders of a column, as marks before its name in the address: a heading goes on to the next one.
function ordersOf(key) {
  const metric = report.metrics.find(({ id }) => id === key);
  if (!metric) return ["", "-"];
  if (metric.is_ratio) return ["~", "-", ""];
  return key === "test_accuracy" ? ["-", ""] : ["", "-"];
}

function readOrder(params) {
  const [, mark, key] = (params.sort?.[0] || "").match(/^([-~]?)(.*)$/);
  return { mark, key };
}

function sortedRows(rows, params) {
  const { mark, key } = readOrder(params);
  if (!key) return rows;
  const of = (one) => {
    const value = (key in one.values ? one.values[key][0] : one[key]) ?? null;
    return mark === "~" && value !== null ? Math.abs(Math.log(value)) : value;
  };
  const sign = mark === "-" ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [first, second] = [of(a), of(b)];
    if (first === null || second === null) return (first === null) - (second === null);
    if (first === second) return 0;
    const areNumbers = typeof first === "number" && typeof second === "number";
    return sign * (areNumbers ? first - second : String(first).localeCompare(String(second)));
  });
}

function headingOf(name, title, params) {
  const { mark, key } = readOrder(params);
  const orders = ordersOf(name);
  const next = key === name ? orders[(orders.indexOf(mark) + 1) % orders.length] : orders[0];
  const button = element("button", { type: "button" }, title);
  button.addEventListener("click", () => writeAddress("compare", { ...params, sort: [next + name] }));
  const sort = key === name ? { "": "ascending", "-": "descending", "~": "other" }[mark] : "none";
  const head = element("th", { scope: "col", "aria-sort": sort }, button);
  if (key === name) head.append(element("small", {}, ` ${ORDERS[mark]}`));
  return head;
}

function boxOf(one, ids, chosen, params) {
  const box = element("input", { type: "checkbox", checked: ids.includes(one.id) });
  box.setAttribute("aria-label", `Side by side: ${nameOf(one)}`);
  box.addEventListener("change", () => {
    const others = ids.filter((id) => id !== one.id);
    const isFull = box.checked && others.length >= MOST_CHOSEN;
    document.getElementById("full").hidden = !isFull;
    document.querySelector("#table .refused")?.remove();
    if (!isFull) return writeAddress("compare", { ...params, run: box.checked ? [...others, one.id] : others });
    box.checked = false;
    box.parentElement.append(element("b", { className: "refused" }, "Untick one first"));
  });
  const letter = chosen.includes(one) ? LETTERS[chosen.indexOf(one)] : "";
  return element("td", { className: "number" }, box, ` ${letter}`);
}

function showTable(rows, chosen, params, metric) {
  const others = report.metrics.filter(({ id }) => id !== metric.id && rows.some((one) => id in one.values));
  const ids = params.run?.length ? params.run : chosen.map(({ id }) => id);
  const common = commonSettings(rows);
  document.getElementById("common").textContent = common.length ? `All rows have ${common.join(", ")}.` : "";
  const heads = [
    ["dataset", "data set"], ["family", "family"], ["depth", "depth"], [metric.id, metric.name], ["seeds", "seeds"],
    ["settings", "settings"], ["width", "width"], ["epochs", "epochs"], ["parameters", "parameters"],
    ...others.map(({ id, name }) => [id, name]),
  ];
  const head = element("tr", {}, element("th", { scope: "col" }, "side by side"));
  head.append(...heads.map(([name, title]) => headingOf(name, title, params)));
  const body = element("tbody");
  for (const one of showsAllRows ? rows : rows.slice(0, FIRST_ROWS)) {
    const diverged = one.diverged ? `, ${one.diverged} diverged` : "";
    body.append(
      element(
        "tr",
        {},
        boxOf(one, ids, chosen, params),
        element("td", {}, one.dataset),
        element("td", { className: "family" }, one.family),
        element("td", {}, String(one.depth)),
        element("td", { className: "number" }, resultText(one.values[metric.id])),
        element("td", {}, `${one.seeds}${diverged}`),
        element("td", { className: "settings" }, settingsOf(one, common)),
        element("td", {}, one.width),
        element("td", {}, String(one.epochs)),
        element("td", { className: "number" }, numberText(one.parameters)),
        ...others.map(({ id }) => element("td", { className: "number" }, resultText(one.values[id]))),
      ),
    );
  }
  const table = element("table", { className: "frozen" }, element("thead", {}, head), body);
  document.getElementById("table").replaceChildren(table);
  freezeColumns(table);
  showNoteOnNorms(rows);
  const more = document.getElementById("more");
  more.hidden = showsAllRows || rows.length <= FIRST_ROWS;
  more.textContent = `Show all ${rows.length} rows`;
}

function freezeColumns(table) {
  let left = 0;
  for (const column of FROZEN) {
    table.style.setProperty(`--left-${column}`, `${left}px`);
    left += table.rows[0].cells[column].getBoundingClientRect().width;
  }
}

// Values before training of networks with batch norm need an explanation.
function showNoteOnNorms(rows) {
  const has = (one) => one.batch_norm && Object.keys(one.values).some((id) => id.endsWith("_before"));
  const families = [...new Set(rows.filter(has).map(({ family }) => family))];
  const note = document.getElementById("norms");
  note.hidden = !families.length;
  note.querySelector("span").textContent = families.join(", ");
}
