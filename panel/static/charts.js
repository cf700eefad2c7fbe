// Draws every <figure data-chart="/api/charts/…">: asks the API when it comes into sight, and gives Plotly what it answers.
// Colours follow the theme; "Show as table" shows the same as a table. Times are those of this browser's zone unless the
// address names another.

const charts = new Map();
const CONFIG = { displayModeBar: false, displaylogo: false, responsive: false, showTips: false };
const isTouched = matchMedia("(pointer: coarse)").matches;
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) charts.get(entry.target)?.begin();
}, { rootMargin: "200px" });
const sized = new ResizeObserver((entries) => {
  for (const entry of entries) charts.get(entry.target.closest("[data-chart]"))?.resize();
});
let script = null;

/** One chart of the page. */
class Chart {
  constructor(figure) {
    this.figure = figure;
    this.body = figure.querySelector(".chart-body");
    this.say = figure.querySelector(".chart-say");
    this.notes = figure.querySelector(".chart-notes");
    this.switch = figure.querySelector("[data-chart-table]");
    this.reset = figure.querySelector("[data-chart-reset]");
    this.every = Number(figure.dataset.every ?? 0);
    this.etag = null;
    this.isTable = false;
    this.switch.addEventListener("click", () => this.showTable(!this.isTable));
    this.reset.addEventListener("click", () => this.draw());
  }

  begin() {
    seen.unobserve(this.figure);
    this.load();
    if (this.every) setInterval(() => document.hidden || this.load(), this.every * 1000);
  }

  async load() {
    this.body.setAttribute("aria-busy", "true");
    try {
      const [chart, Plotly] = await Promise.all([this.ask(), loadPlotly()]);
      this.Plotly = Plotly;
      if (chart) this.show(chart);
    } catch (error) {
      this.fail(error);
    } finally {
      this.body.removeAttribute("aria-busy");
    }
  }

  /** Resolves to the chart, or null when it is as it was. */
  async ask() {
    const headers = { Accept: "application/json", ...(this.etag ? { "If-None-Match": this.etag } : {}) };
    let response;
    try {
      response = await fetch(withTimezone(this.figure.dataset.chart), { headers, cache: "no-store" });
    } catch {
      throw new Error("The panel can't be reached. Is it still running?");
    }
    if (response.status === 304) return null;
    if (response.status === 401) location.reload();
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error([answer.error?.message, answer.error?.hint].filter(Boolean).join(" ") || `The panel answered ${response.status}.`);
    this.etag = response.headers.get("ETag");
    return answer.chart;
  }

  show(chart) {
    this.chart = chart;
    this.notes.textContent = chart.notes.join(" ");
    this.notes.hidden = !chart.notes.length;
    this.switch.disabled = Boolean(chart.empty);
    if (chart.empty) return this.tell(chart.empty);
    this.say.hidden = true;
    if (this.isTable) this.fillTable();
    this.draw();
  }

  /** Draw the chart in the colours of the theme; a change moves nothing. */
  draw() {
    if (!this.chart || this.chart.empty || !this.Plotly) return;
    this.plot ??= this.addBox("chart-plot");
    const { data, layout } = paint(this.chart, findTheme());
    this.plot.classList.toggle("tall", Boolean(layout.height));
    this.plot.setAttribute("role", "img");
    this.plot.setAttribute("aria-label", `${this.chart.title}. ${this.chart.summary}`);
    this.plot.hidden = this.isTable;
    if (this.isTable) return;
    this.reset.hidden = true;
    const isFirst = !this.plot.data;
    this.Plotly.react(this.plot, data, fit(layout, this.body), CONFIG);
    if (isFirst) this.plot.on("plotly_relayout", (change) => this.noteZoom(change));
  }

  noteZoom(change) {
    const isZoomed = Object.keys(change).some((key) => key.startsWith("xaxis.range"));
    if (isZoomed || change["xaxis.autorange"]) this.reset.hidden = !isZoomed;
  }

  resize() {
    if (this.plot && !this.plot.hidden && this.plot.data) this.Plotly.relayout(this.plot, fit({ ...this.plot.layout }, this.body));
  }

  showTable(wanted) {
    this.isTable = wanted;
    this.switch.setAttribute("aria-pressed", String(wanted));
    this.switch.textContent = wanted ? "Show as chart" : "Show as table";
    if (wanted) this.fillTable();
    else if (this.table) this.table.hidden = true;
    this.draw();
  }

  fillTable() {
    this.table ??= this.addBox("chart-table");
    this.table.hidden = false;
    this.table.tabIndex = 0;
    this.table.setAttribute("role", "region");
    this.table.setAttribute("aria-label", `${this.chart.title}, as a table`);
    this.table.replaceChildren(makeTable(this.chart.table));
  }

  tell(text) {
    if (this.plot) this.plot.hidden = true;
    if (this.table) this.table.hidden = true;
    this.say.className = "chart-say muted";
    this.say.textContent = text;
    this.say.hidden = false;
  }

  fail(error) {
    this.tell(error.message);
    this.say.classList.replace("muted", "bad");
    const again = document.createElement("button");
    again.type = "button";
    again.textContent = "Try again";
    again.addEventListener("click", () => {
      this.tell("Loading");
      this.etag = null;
      this.load();
    });
    this.say.append(again);
  }

  addBox(name) {
    const box = document.createElement("div");
    box.className = name;
    this.body.append(box);
    return box;
  }
}

function loadPlotly() {
  script ??= new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = document.querySelector('meta[name="plotly"]').content;
    element.addEventListener("load", () => resolve(window.Plotly));
    element.addEventListener("error", () => {
      script = null;
      reject(new Error("The script that draws charts can't be loaded."));
    });
    document.head.append(element);
  });
  return script;
}

function withTimezone(address) {
  const url = new URL(address, location.href);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && url.pathname.startsWith("/api/charts/") && takesTime(url) && !url.searchParams.has("timezone")) url.searchParams.set("timezone", zone);
  return url;
}

function takesTime(url) {
  return !/\/api\/charts\/(builds|traces)/.test(url.pathname);
}

function findTheme() {
  return document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

/** The figure in the colours of a theme, without its title: the page has that above it. */
function paint(chart, theme) {
  const figure = structuredClone(chart.figure);
  const colors = chart.themes[theme];
  figure.data.forEach((trace, place) => merge(trace, colors.data[place]));
  merge(figure.layout, colors.layout);
  delete figure.layout.title;
  figure.layout.margin.t = figure.layout.showlegend ? 34 : 10;
  return figure;
}

/** A layout for the size of its box; on a touch screen a finger scrolls the page instead of zooming. */
function fit(layout, body) {
  const height = Math.max(layout.height ?? 0, body.clientHeight);
  const isScrolled = height > body.clientHeight;
  const axes = isTouched ? { dragmode: false, xaxis: { ...layout.xaxis, fixedrange: true } } : {};
  return { ...layout, ...axes, width: body.clientWidth - (isScrolled ? 16 : 0), height };
}

function merge(target, change) {
  for (const [key, value] of Object.entries(change)) {
    if (isObject(value) && isObject(target[key])) merge(target[key], value);
    else target[key] = value;
  }
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function makeTable({ columns, rows }) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const name of columns) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = name;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const text of row) line.insertCell().textContent = text;
  }
  return table;
}

function findCharts() {
  for (const figure of document.querySelectorAll("[data-chart]")) {
    if (charts.has(figure)) continue;
    const chart = new Chart(figure);
    charts.set(figure, chart);
    seen.observe(figure);
    sized.observe(chart.body);
  }
}

function redraw() {
  for (const chart of charts.values()) chart.draw();
}

document.addEventListener("themechange", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
document.addEventListener("refreshed", findCharts);
findCharts();
