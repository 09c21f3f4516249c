// Owns cell -> day, as tables, feeds and archives write dates. The day is the one that is written, in whatever time zone
// the reader sits; what is not known to be a date is none, and no first of January.

const MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];

const YEAR_FIRST = /^\s*(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2}))?)?(?!\d)/;
const YEAR_LAST = /^\s*(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?!\d)/;

const FISCAL_YEAR = /^\s*(\d{4})[-/](\d{2})(?![-/.\d])/;
const NO_MONTH = /^\s*\d{4}[-/](?:00|1[3-9]|[2-9]\d)(?![-/.\d])/;

const findMonth = (word) => (word.length < 3 ? 0 : MONTHS.findIndex((month) => month.startsWith(word.toLowerCase())) + 1);

function checkDate(year, month = null, day = null) {
  if (year < 1500 || year > 2200 || month === 0 || month > 12 || day === 0) return null;
  return day > (month ? new Date(Date.UTC(year, month, 0)).getUTCDate() : 0) ? null : [year, month, day];
}

const checkQuarter = (year, quarter) => checkDate(year) && [year, null, null, quarter];
const numberOf = (digits) => (digits ? Number(digits) : null);

// 2021/22, 1999-00: named by its first year. Of 2009/10 the column tells whether it is one, or October.
function readFiscalYear(text) {
  const [, year, next] = (FISCAL_YEAR.exec(text) ?? []).map(Number);
  return (year + 1) % 100 === next ? checkDate(year) : null;
}

const MONTH = "((?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)";
const TIME = String.raw`\d{1,2}:\d{2}(?::\d{2})?`;
// What may stand before a day and its month: a time, the day of the week, "Updated on".
const BEFORE = String.raw`^\s*(?:${TIME}(?:\s*[ap]\.?m\b\.?)?[\s,]+)?(?:[a-z]+(?:[.,:]+\s*|\s+)){0,3}`;

// Each way to write a date, with what reads it; the first that fits is taken.
const WAYS = [
  [/^\s*(\d{4})[\s-]*Q([1-4])\b/i, ([, year, quarter]) => checkQuarter(Number(year), Number(quarter))],
  [/^\s*(?:Q([1-4])|([1-4])Q)[\s,/-]*(\d{4})(?!\d)/i, ([, first, other, year]) => checkQuarter(Number(year), Number(first ?? other))],
  // 20210305, and with a time behind it; more digits are a number, as of milliseconds
  [/^\s*(\d{4})(\d{2})(\d{2})(?:T?(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?)?(?!\d)/, ([, year, month, day]) => checkDate(Number(year), Number(month), Number(day))],
  // 2021-Mar-05
  [new RegExp(String.raw`^\s*(\d{4})[\s,/-]*${MONTH}\.?[\s/-]+(\d{1,2})(?!\d)`, "i"), ([, year, month, day]) => checkDate(Number(year), findMonth(month), Number(day))],
  [NO_MONTH, ([text]) => readFiscalYear(text)],
  [YEAR_FIRST, ([, year, month, day]) => checkDate(Number(year), numberOf(month), numberOf(day))],
  [/^\s*(\d{1,2})[-/.](\d{4})(?!\d)/, ([, month, year]) => checkDate(Number(year), Number(month))],
  // Of these the year alone is sure.
  [/^\s*(?:spring|summer|autumn|fall|winter|fy|(?:fiscal|financial) year|h[12]|[12]h|(?:cw|week|w)\s*\d{1,2}|early|mid|late|ca?\.?|circa)[\s,/-]*(\d{4})(?!\d)/i, ([, year]) => checkDate(Number(year))],
  // Fri, 01 Jan 2021 00:30:00 GMT; 1st of May 2021; 5-Mar-2021
  [new RegExp(String.raw`${BEFORE}(\d{1,2})(?:st|[nr]d|th|\.)?(?:\s+of)?[\s/-]*${MONTH}[.,]*[\s/-]*(\d{4})(?!\d)`, "i"), ([, day, month, year]) => checkDate(Number(year), findMonth(month), Number(day))],
  // March 5, 2021; Mar/05/2021; Wed Oct 10 20:19:24 +0000 2018
  [new RegExp(String.raw`${BEFORE}${MONTH}(?:\.?\s+|[-/])(\d{1,2})(?:st|[nr]d|th)?(?:,?\s+${TIME}(?:\s+(?:[+-]\d{4}|[a-z]{3,4}))?\s+|,\s*|\s+|[-/])(\d{4})(?!\d)`, "i"), ([, month, day, year]) => checkDate(Number(year), findMonth(month), Number(day))],
  [new RegExp(String.raw`^\s*${MONTH}[.,]*[\s/-]*(\d{4})(?!\d)`, "i"), ([, month, year]) => checkDate(Number(year), findMonth(month))],
];

// How a whole column writes what one value leaves open: 03/04/2021 as "day-first" or "month-first", 2009/10 as
// "fiscal-years" where it also has a 2013/14; null where nothing tells.
export function findDateStyle(values) {
  let style = null;
  for (const value of values) {
    const text = String(value ?? "");
    const found = YEAR_LAST.exec(text);
    if (found && (found[2] === "." || Number(found[1]) > 12)) return "day-first";
    if (found && Number(found[3]) > 12) style = "month-first";
    if (style === null && NO_MONTH.test(text) && readFiscalYear(text)) style = "fiscal-years";
  }
  return style;
}

// A value as a day, as [year, month, day]; months and days may be missing, and a quarter stand behind them. Where it
// cannot be known which is the day, both are: half of the rows would stand in a wrong month.
export function readDate(value, dateStyle = null) {
  const text = String(value ?? "");
  const late = YEAR_LAST.exec(text);
  if (late) {
    const [first, second, year] = [Number(late[1]), Number(late[3]), Number(late[4])];
    if (dateStyle === "day-first") return checkDate(year, second, first);
    return dateStyle === "month-first" ? checkDate(year, first, second) : checkDate(year);
  }
  const fiscal = dateStyle === "fiscal-years" && readFiscalYear(text);
  if (fiscal) return fiscal;
  for (const [form, read] of WAYS) {
    const found = form.exec(text);
    if (found) return read(found);
  }
  return null;
}
