// Draws one chart where it stands. Plotly is unpacked once for all charts of a page, and only when none has brought it yet.
(function (id) {
  const root = document.getElementById(id);
  const plot = root.querySelector(".ma-plot");
  const chart = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  const packed = root.querySelector('script[type="text/plain"]');

  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    return window.Plotly;
  }

  function load() {
    if (window.Plotly) return Promise.resolve(window.Plotly);
    if (packed) window.mastraAdminPlotly ??= unpack(packed.textContent);
    return window.mastraAdminPlotly ?? wait(50);
  }

  // Another chart of this page brings it, maybe one that comes later.
  async function wait(times) {
    for (let time = 0; time < times; time += 1) {
      if (window.Plotly || window.mastraAdminPlotly) return window.Plotly ?? window.mastraAdminPlotly;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error("no script");
  }

  function findTheme() {
    if (chart.theme) return chart.theme;
    const body = document.body;
    if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false" ? "dark" : "light";
    if (body.matches(".vscode-dark, .vscode-high-contrast")) return "dark";
    if (body.matches(".vscode-light")) return "light";
    const named = document.documentElement.dataset.theme;
    if (named) return named;
    // A page may be white under a dark system: what counts is what is behind the chart.
    for (let element = root; element; element = element.parentElement) {
      const [red, green, blue, alpha = 1] = getComputedStyle(element).backgroundColor.match(/[\d.]+/g).map(Number);
      if (alpha) return red * 0.3 + green * 0.6 + blue * 0.1 < 128 ? "dark" : "light";
    }
    return "light";
  }

  function merge(target, change) {
    for (const [key, value] of Object.entries(change)) {
      const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
      if (isObject && target[key] !== null && typeof target[key] === "object") merge(target[key], value);
      else target[key] = value;
    }
    return target;
  }

  function draw(Plotly) {
    const figure = JSON.parse(JSON.stringify(chart.figure));
    const patch = chart.themes[findTheme()];
    figure.data.forEach((trace, place) => merge(trace, patch.data[place]));
    merge(figure.layout, patch.layout);
    return Plotly.react(plot, figure.data, figure.layout, { responsive: true, displaylogo: false, displayModeBar: false });
  }

  load()
    .then((Plotly) => {
      draw(Plotly);
      const observer = new MutationObserver(() => (root.isConnected ? draw(Plotly) : observer.disconnect()));
      observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
    })
    .catch(() => {
      plot.textContent = "The chart can't be drawn here: its script isn't on this page. The table below has its data.";
      plot.style.height = "auto";
      root.querySelector("details").open = true;
    });
})
