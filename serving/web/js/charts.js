// Owns the charts of a batch: shares over time as lines with their intervals, shares by source as stacked bars; drawn
// by Chart.js. Each chart stands beside the same figures as a table.
import { readDate } from "./dates.js";
import { count, h, interval, percent } from "./dom.js";
import { estimateShare } from "./estimate.js";
import { nameClass, SHAPES, title } from "./labels.js";
import { readCell } from "./rows.js";

const MOST_SOURCES = 12;
const MOST_NAME_CHARS = 26;
const AXIS_GAP_PX = 16; // between a name and the bars, and a little
const MOST_BINS = 36;
const LEAST_ROWS = 25; // of a bin, on average; fewer make intervals that say nothing
const MOST_STRAY = 0.01; // share of rows at either end that may be left out, where they would make an axis of gaps
// Where counting begins or ends in programs: days that stand for "none", in as many rows as have no date.
const STAND_INS = new Set(["1899-12-30", "1899-12-31", "1900-1-1", "1904-1-1", "1969-12-31", "1970-1-1", "2099-12-31"]);
const POINTS = { triangle: "triangle", circle: "circle", square: "rect", diamond: "rectRot", cross: "cross", down: "triangle", star: "star" };
const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3], [1, 3], [10, 4]];

const pointOf = ({ shape }) => ({ pointStyle: POINTS[shape], pointRotation: shape === "down" ? 180 : 0 });

// A browser may keep that a module could not be fetched for as long as the page stands (whatwg/html#6768): another try
// is of another address.
export const loadChartLibrary = async () => {
  try {
    await import(`../vendor/chart.umd.min.js${nFailed ? `?try=${nFailed}` : ""}`);
  } catch (error) {
    nFailed += 1;
    throw error;
  }
  return globalThis.Chart;
};
let nFailed = 0;

// A colour of the page as the canvas takes it: with forced colours, the page's own are names of the system's.
function css(name) {
  const probe = h("span", { hidden: true, style: { "forced-color-adjust": "none", color: `var(--${name})` } });
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

// Draws in the colours of paper whatever the theme, as a canvas follows no style sheet.
export function onPaper(draw) {
  const { dataset } = document.documentElement;
  const { theme } = dataset;
  dataset.theme = "light";
  draw();
  if (theme === undefined) delete dataset.theme;
  else dataset.theme = theme;
}

const pale = (color) => color.replace("rgb(", "rgba(").replace(")", ", 0.14)");

const DAY_MS = 86_400_000;
const pad = (n) => String(n).padStart(2, "0");

// Of each period: its number, where the date tells it, and what the period of a number is called.
const PERIODS = {
  day: { number: ([year, month, day]) => (month && day ? Date.UTC(year, month - 1, day) / DAY_MS : null), name: (n) => new Date(n * DAY_MS).toISOString().slice(0, 10) },
  month: { number: ([year, month]) => (month ? 12 * year + month - 1 : null), name: (n) => `${Math.floor(n / 12)}-${pad((n % 12) + 1)}` },
  quarter: { number: ([year, month, , quarter = month && Math.ceil(month / 3)]) => (quarter ? 4 * year + quarter - 1 : null), name: (n) => `${Math.floor(n / 4)} Q${(n % 4) + 1}` },
  year: { number: ([year]) => year, name: String },
};

// How many bins, with how many rows, may be left out at the beginning: few rows but for stand-ins, and a gap between them
// and the rest.
function findStrays(bins, most) {
  const found = [[0, 0]];
  let [nRows, nDated] = [0, 0];
  for (let n = 1; n < Math.min(bins.length, MOST_BINS); n += 1) {
    nRows += bins[n - 1][1];
    nDated += bins[n - 1][1] - bins[n - 1][2];
    if (nDated > most) break;
    if (Math.abs(bins[n][0] - bins[n - 1][0]) > 1) found.push([n, nRows]);
  }
  return found;
}

// From which bin to which an axis goes of which no more than half are gaps, with as few rows left out as can be; null
// where there is none. `bins` are [number, rows, those of them with a stand-in] in order.
function findAxis(bins, nRows, isFit) {
  const most = Math.round(MOST_STRAY * nRows);
  const late = findStrays([...bins].reverse(), most);
  let best = null;
  for (const [nEarly, nEarlyRows] of findStrays(bins, most)) {
    for (const [nLate, nLateRows] of late) {
      const [n, nStray] = [bins.length - nEarly - nLate, nEarlyRows + nLateRows];
      if (n < 1 || nStray >= (best?.nStray ?? nRows)) continue;
      const [first, last] = [bins[nEarly][0], bins.at(-1 - nLate)[0]];
      if (last - first < 2 * n && isFit(n, nRows - nStray)) best = { first, last, nStray };
    }
  }
  return best;
}

// The finest period that does not make too many bins, too thin ones, or an axis that is mostly gaps: one date that was
// mistyped, or stands for none, must not make one of decades. Where there is none, years, whatever they are like.
function chooseAxis(dates) {
  let years = [];
  for (const [period, { number }] of Object.entries(PERIODS)) {
    const counts = new Map();
    for (const date of dates) {
      const [nRows, nStandIns] = counts.get(number(date)) ?? [0, 0];
      counts.set(number(date), [nRows + 1, nStandIns + (STAND_INS.has(date.join("-")) ? 1 : 0)]);
    }
    if (counts.has(null)) continue;
    const bins = (years = [...counts].map(([n, counted]) => [n, ...counted]).sort(([a], [b]) => a - b));
    const axis = findAxis(bins, dates.length, (n, nRows) => n <= Math.min(MOST_BINS, nRows / LEAST_ROWS) && n >= Math.min(bins.length, 2));
    if (axis) return { period, ...axis };
  }
  const axis = findAxis(years, dates.length, () => true) ?? { first: years[0]?.[0], last: years.at(-1)?.[0], nStray: 0 };
  return { period: "year", ...axis };
}

function groupBy(rows, key) {
  const groups = new Map();
  for (const row of rows) {
    const name = key(row);
    if (name === null || name === undefined || name === "") continue;
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(row.answer);
  }
  return groups;
}

const measure = (groups, head) =>
  [...groups].map(([name, answers]) => ({
    name,
    n: answers.length,
    shares: Object.fromEntries(head.labels.map((label) => [label.name, estimateShare(answers.map((answer) => answer[head.name].scores[label.name]))])),
  }));

// Periods between the first and the last that have no rows are among the groups, without shares: the axis is one of time.
// `dateStyle` is that of the whole column, as `findDateStyle` gives it; `nStray` rows stand outside the axis.
export function groupByTime(rows, column, head, dateStyle) {
  const dated = rows.map((row) => ({ ...row, date: readDate(row.own[column], dateStyle) })).filter((row) => row.date);
  const { period, first, last, nStray } = chooseAxis(dated.map((row) => row.date));
  const { number, name } = PERIODS[period];
  const isWithin = (n) => (n >= first && n <= last ? n : null);
  const found = new Map(measure(groupBy(dated, (row) => isWithin(number(row.date))), head).map((group) => [group.name, group]));
  const groups = [];
  for (let n = first; n <= last; n += 1) groups.push({ ...(found.get(n) ?? { n: 0, shares: null }), name: name(n) });
  return { period, nUndated: rows.length - dated.length, nStray, groups };
}

// Why there is no chart over time, where a column was chosen for one.
function sayNoTime({ period, groups, nStray }, column) {
  if (!groups.length) return `No chart over time: no row has a date in ${column} that can be read, as 2021-03-05, 5 March 2021, 03/2021 and Q1 2021 can.`;
  const finer = period === "year" ? ` Shorter periods need days or months in all dates, and ${LEAST_ROWS} rows each on average.` : "";
  const but = nStray ? `, but for ${nStray.toLocaleString("en")} far off,` : "";
  return `No chart over time: by ${column}, all ${count(groups[0].n, "row")} with a date${but} are of ${groups[0].name}.${finer}`;
}

function groupBySource(rows, column, head) {
  const groups = measure(groupBy(rows, (row) => readCell(row.own[column])), head).sort((a, b) => b.n - a.n);
  const nWithout = rows.length - groups.reduce((sum, { n }) => sum + n, 0);
  return { groups: groups.slice(0, MOST_SOURCES), nLeftOut: Math.max(groups.length - MOST_SOURCES, 0), nWithout };
}

function figuresTable(groups, head, first) {
  return h(
    "details",
    { class: "figures" },
    h("summary", {}, "The figures as a table"),
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": `Figures by ${first}` },
      h(
        "table",
        { class: "plain" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, first), h("th", { scope: "col", class: "figure" }, "rows"), head.labels.map((label) => h("th", { scope: "col", class: `figure ${nameClass(label) ?? ""}` }, label.name)))),
        h("tbody", {}, groups.filter(({ n }) => n).map(({ name, n, shares }) => h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "figure" }, n.toLocaleString("en")), head.labels.map((label) => h("td", { class: "figure" }, `${percent(shares[label.name].value)} (${interval(shares[label.name])})`))))),
      ),
    ),
  );
}

// Crosses and stars are lines alone, which the border of a bar, drawn in the colour of the page, would hide.
function legendOf(chart) {
  return globalThis.Chart.defaults.plugins.legend.labels.generateLabels(chart).map((item) => {
    const { backgroundColor, pointRotation } = chart.data.datasets[item.datasetIndex];
    return { ...item, strokeStyle: backgroundColor, lineWidth: 2, lineDash: [], rotation: pointRotation };
  });
}

// The shape of its label on each bar that has room for it, as colours alone tell nothing to many, and on grey paper.
const shapesOnBars = {
  id: "shapesOnBars",
  afterDatasetsDraw(chart) {
    const { ctx } = chart;
    chart.data.datasets.forEach(({ shape, borderColor }, i) => {
      if (!chart.isDatasetVisible(i)) return;
      for (const bar of chart.getDatasetMeta(i).data) {
        const { x, y, base, height } = bar.getProps(["x", "y", "base", "height"]);
        const size = Math.min(height - 4, 12);
        if (x - base < size + 6) continue;
        ctx.save();
        ctx.translate((x + base - size) / 2, y - size / 2);
        ctx.scale(size / 16, size / 16);
        ctx.fillStyle = borderColor;
        ctx.fill(new Path2D(shape));
        ctx.restore();
      }
    });
  },
};

function commonOptions() {
  const [ink, soft, line] = [css("ink"), css("soft"), css("line")];
  const font = { family: getComputedStyle(document.body).fontFamily, size: 13 };
  return {
    responsive: true,
    maintainAspectRatio: false,
    animation: false,
    plugins: {
      legend: { position: "top", align: "start", labels: { color: ink, font, usePointStyle: true, boxHeight: 8, generateLabels: legendOf, filter: (item) => !item.text.startsWith("~") } },
      tooltip: { titleFont: font, bodyFont: font, filter: (item) => !item.dataset.label.startsWith("~") },
    },
    font,
    axis: (more) => ({ grid: { color: line }, border: { color: line }, ticks: { color: soft, font, ...more } }),
  };
}

function timeConfig(groups, head) {
  const options = commonOptions();
  const datasets = head.labels.flatMap((label, i) => {
    const color = css(label.tone);
    const points = (end) => groups.map(({ shares }) => shares && 100 * shares[label.name][end]); // null is a gap
    const band = { borderWidth: 0, pointRadius: 0, pointHitRadius: 0, tension: 0.2 };
    return [
      { label: label.name, data: points("value"), borderColor: color, backgroundColor: color, borderDash: DASHES[(i + Math.floor(i / DASHES.length)) % DASHES.length], borderWidth: 2, ...pointOf(label), pointRadius: 5, tension: 0.2 },
      { ...band, label: `~${label.name} low`, data: points("low"), fill: false },
      { ...band, label: `~${label.name} high`, data: points("high"), fill: "-1", backgroundColor: pale(color) },
    ];
  });
  const scales = { x: options.axis({ maxRotation: 45 }), y: { ...options.axis({ callback: (value) => `${value} %` }), min: 0, suggestedMax: 100 } };
  options.plugins.tooltip.callbacks = { label: (item) => { const share = groups[item.dataIndex].shares[item.dataset.label]; return `${item.dataset.label}: ${percent(share.value)} (${interval(share)})`; }, footer: (items) => (items.length ? `${groups[items[0].dataIndex].n} rows` : "") };
  return { type: "line", data: { labels: groups.map(({ name }) => name), datasets }, options: { ...options, scales, interaction: { mode: "index", intersect: false } } };
}

function cutName(name, nKept) {
  const letters = [...name.slice(0, 2 * nKept)];
  return letters.length > nKept ? `${letters.slice(0, nKept - 1).join("")}…` : name;
}

// The axis takes half of the chart at most and cuts what is longer at its beginning, by which sources are told apart.
function fitName({ name, n }, { ctx, width }, { size, family }) {
  ctx.font = `${size}px ${family}`; // the axis sets it, too, before it measures
  const isWide = (told) => ctx.measureText(told).width > width / 2 - AXIS_GAP_PX;
  let nKept = MOST_NAME_CHARS;
  while (nKept > 4 && isWide(`${cutName(name, nKept)} (${n})`)) nKept -= 1;
  return `${cutName(name, nKept)} (${n})`;
}

function sourceConfig(groups, head) {
  const options = commonOptions();
  const datasets = head.labels.map((label) => ({ label: label.name, data: groups.map(({ shares }) => 100 * shares[label.name].value), backgroundColor: css(label.tone), borderColor: css("paper"), borderWidth: 1, ...pointOf(label), shape: SHAPES[label.shape], stack: head.isOneOf ? "all" : label.name, maxBarThickness: 22 }));
  function callback(value, index) {
    return fitName(groups[index], this.chart, options.font);
  }
  const scales = {
    x: { ...options.axis({ callback: (value) => `${value} %` }), min: 0, max: head.isOneOf ? 100 : undefined, stacked: head.isOneOf },
    y: { ...options.axis({ callback }), stacked: head.isOneOf, grid: { display: false } },
  };
  return { type: "bar", data: { labels: groups.map(({ name, n }) => `${cutName(name, MOST_NAME_CHARS)} (${n})`), datasets }, options: { ...options, indexAxis: "y", scales }, plugins: [shapesOnBars] };
}

// One chart in a figure; `draw` must be called again when the theme changes, `end` when it is thrown away. Where it
// cannot be drawn it says so in its own place: the figures stand in the table, and what else went wrong is told above.
function chartFigure({ title: heading, note, label, height, groups, head, first, kind }) {
  const canvas = h("canvas", { role: "img", "aria-label": label });
  const place = h("div", { class: "canvas-place", style: { height: `${height}px` } }, canvas);
  const table = figuresTable(groups, head, first);
  const missing = h("p", { class: "caution", hidden: true }, "⚠ The chart could not be drawn; its figures are in the table.");
  const element = h("figure", { class: "chart" }, h("figcaption", {}, h("h3", {}, heading), note && h("p", { class: "fine" }, note)), missing, place, table);
  let chart = null;
  let drawn = Promise.resolve();
  const attempt = async () => {
    try {
      const Chart = globalThis.Chart ?? (await loadChartLibrary()); // what is drawn for paper is not waited for
      chart?.destroy();
      chart = new Chart(canvas, kind === "time" ? timeConfig(groups, head) : sourceConfig(groups, head));
    } catch (error) {
      console.warn("chart:", error);
      chart = null;
    }
    missing.hidden = chart !== null;
    place.hidden = chart === null;
  };
  const draw = () => (drawn = attempt());
  return { element, table, kind, draw, drawn: () => drawn, isMissing: () => !missing.hidden, end: () => chart?.destroy() };
}

// The charts of rows for which columns were chosen, and in words why one of them is missing.
export function makeFigures(sound, head, { columns: { date, source }, dateStyle }) {
  const figures = [];
  const missing = [];
  if (date) {
    const told = groupByTime(sound, date, head, dateStyle);
    const { period, groups, nUndated, nStray } = told;
    const stray = nStray ? ` ${count(nStray, "row")} with a date far from all others ${nStray === 1 ? "is" : "are"} left out.` : "";
    const undated = nUndated ? ` ${count(nUndated, "row")} without a date ${nUndated === 1 ? "is" : "are"} left out.` : "";
    const gaps = groups.some(({ n }) => !n) ? ` A gap is a ${period} without rows.` : "";
    if (groups.length < 2) missing.push(sayNoTime(told, date));
    else figures.push(chartFigure({ kind: "time", head, groups, first: period, height: 300, title: `${title(head.name)} by ${period}`, note: `Expected share of each label; the bands are 95 % intervals.${gaps}${undated}${stray}`, label: `Lines of the share of each ${head.name} label by ${period}; the table below has the figures.` }));
  }
  if (source) {
    const { groups, nLeftOut, nWithout } = groupBySource(sound, source, head);
    const without = nWithout ? ` ${count(nWithout, "row")} without a ${source} ${nWithout === 1 ? "is" : "are"} left out.` : "";
    const rest = `${nLeftOut ? ` The ${groups.length} with most rows; ${nLeftOut} more are left out.` : ""}${without}`;
    if (groups.length < 2) missing.push(`No chart by ${source}: ${groups.length ? `all rows that have one are of ${groups[0].name}` : "no row has one"}.`);
    else figures.push(chartFigure({ kind: "source", head, groups, first: source, height: 90 + groups.length * (head.isOneOf ? 34 : 16 * head.labels.length), title: `${title(head.name)} by ${source}`, note: `Expected share of each label; rows in brackets.${rest}`, label: `Bars of the share of each ${head.name} label by ${source}; the table below has the figures.` }));
  }
  return { figures, missing };
}
