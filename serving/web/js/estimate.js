// Owns scores of several paragraphs -> what they say together, by the same rule as the service (twohands/summary.py):
// each paragraph is a draw by its calibrated scores; intervals reach at least half a paragraph to either side of the
// value. Used where the service cannot sum up: groups of rows, documents in
// several parts, differences. A test compares it with the service's own figures.
import { chooseCounted } from "./labels.js";

export const LEVEL = 0.95;
const NEGLIGIBLE = 1e-13;
const LEAST_SIDE = 0.5; // of an interval, in rows
const MOST_EXACT = 2000; // rows; beyond, a normal distribution gives the same interval to within one row
const NORMAL_95 = 1.959964;

// Distribution of the sum of independent draws, as { from, chances }; tails too thin to matter are cut off.
export function sumDistribution(rows) {
  let from = 0;
  let chances = [1];
  for (const row of rows) {
    const next = new Float64Array(chances.length + row.length - 1);
    for (let i = 0; i < chances.length; i += 1) for (let j = 0; j < row.length; j += 1) next[i + j] += chances[i] * row[j];
    let low = 0;
    let high = next.length;
    while (high - low > 1 && next[low] < NEGLIGIBLE) low += 1;
    while (high - low > 1 && next[high - 1] < NEGLIGIBLE) high -= 1;
    chances = next.subarray(low, high);
    from += low;
  }
  return { from, chances };
}

function quantile({ from, chances }, level) {
  let risen = 0;
  for (let i = 0; i < chances.length; i += 1) {
    risen += chances[i];
    if (risen >= level) return from + i;
  }
  return from + chances.length - 1;
}

function estimate(rows, lowest, scale) {
  const moments = rows.map((row) => [row.reduce((sum, chance, i) => sum + chance * i, 0), row.reduce((sum, chance, i) => sum + chance * i * i, 0)]);
  const most = rows.length * (rows[0].length - 1);
  const mean = Math.min(moments.reduce((sum, [first]) => sum + first, 0), most);
  // Quantiles alone leave the mean out once nearly all chances lie on one whole number, such as that of all rows.
  const around = (low, high) => {
    const [from, to] = [Math.max(0, Math.min(low, mean - LEAST_SIDE)), Math.min(most, Math.max(high, mean + LEAST_SIDE))];
    return { value: lowest + scale * mean, low: lowest + scale * from, high: lowest + scale * to };
  };
  if (rows.length > MOST_EXACT) {
    const width = NORMAL_95 * Math.sqrt(moments.reduce((sum, [first, second]) => sum + second - first * first, 0));
    const [low, high] = [mean - width, mean + width].map((sum) => Math.min(Math.max(Math.round(sum), 0), most));
    return around(low, high);
  }
  const distribution = sumDistribution(rows);
  const tail = (1 - LEVEL) / 2;
  return around(quantile(distribution, tail + 1e-12), quantile(distribution, 1 - tail - 1e-12));
}

// Share of the paragraphs that have a label, from its score in each.
export const estimateShare = (scores) => estimate(scores.map((score) => [1 - score, score]), 0, 1 / scores.length);

function balanceRows(first, second) {
  return first.map((plus, i) => {
    const chances = [second[i], Math.min(Math.max(1 - plus - second[i], 0), 1), plus];
    const sum = chances.reduce((a, b) => a + b);
    return chances.map((chance) => chance / sum);
  });
}

// Share of one label less share of another that excludes it.
export const estimateBalance = (first, second) => estimate(balanceRows(first, second), -1, 1 / first.length);

// Difference of two independent figures with intervals, by their widths (exact enough from some ten paragraphs on).
export function difference(a, b) {
  const value = b.value - a.value;
  return {
    value,
    low: value - Math.hypot(b.value - b.low, a.high - a.value),
    high: value + Math.hypot(b.high - b.value, a.value - a.low),
  };
}

// What /v1/documents calls `summary`, for predictions of one model; null when there are none.
export function summarise(predictions, taxonomy) {
  if (!predictions.length) return null;
  const counted = chooseCounted(predictions);
  const warnings = {};
  for (const prediction of predictions) for (const code of prediction.warnings ?? []) warnings[code] = (warnings[code] ?? 0) + 1;
  const heads = {};
  for (const head of taxonomy.heads) {
    const answers = counted.map((prediction) => prediction[head.name]);
    const labels = {};
    for (const { name } of head.labels)
      labels[name] = {
        share: estimateShare(answers.map((answer) => answer.scores[name])),
        n_given: answers.filter((answer) => (head.isOneOf ? answer.label === name : answer.labels.includes(name))).length,
      };
    heads[head.name] = { labels };
    if (head.isOneOf) {
      heads[head.name].n_abstained = answers.filter((answer) => answer.abstained).length;
      if (head.poles)
        heads[head.name].balance = estimateBalance(...head.poles.map((pole) => answers.map((answer) => answer.scores[pole])));
    }
  }
  return { level: LEVEL, n_paragraphs: predictions.length, n_left_out: predictions.length - counted.length, warnings, heads };
}
