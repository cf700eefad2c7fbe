// Times as the clock here shows them; the full time in UTC stays on hover.

const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const YEAR = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });
const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false, fractionalSecondDigits: 3 });

/** Turn every <time data-local> below an element into local time. */
export function showLocalTimes(root = document) {
  for (const element of root.querySelectorAll("time[data-local]:not([data-shown])")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const isThisYear = moment.getFullYear() === new Date().getFullYear();
    element.textContent = `${(isThisYear ? DAY : YEAR).format(moment)} ${TIME.format(moment)}`;
    element.dataset.shown = "";
  }
}
