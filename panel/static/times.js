// Times that count on while a page is open, in the words of the server (wording.py).

const STEPS = [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [Infinity, 86400, "d"]];
const TICK_MS = 1000;

export function keepTimes() {
  showTimes();
  setInterval(showTimes, TICK_MS);
}

export function showTimes() {
  for (const element of document.querySelectorAll("time[data-ago], time[data-since]")) {
    const passed = (Date.now() - Date.parse(element.dateTime)) / 1000;
    const text = "since" in element.dataset ? formatSeconds(passed) : formatAgo(passed);
    if (element.textContent !== text) element.textContent = text;
  }
}

function formatAgo(passed) {
  if (passed < 5) return "just now";
  const [, unit, name] = STEPS.find(([limit]) => passed < limit);
  return `${Math.floor(passed / unit)} ${name} ago`;
}

function formatSeconds(passed) {
  const whole = Math.max(0, Math.floor(passed));
  const minutes = Math.floor(whole / 60);
  return minutes ? `${minutes} min ${String(whole % 60).padStart(2, "0")} s` : `${whole} s`;
}
