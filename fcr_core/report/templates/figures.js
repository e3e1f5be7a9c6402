// Shows the chosen view of each chooser and draws its plot in the page's colours.
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const NARROW = 700;

function painted(trace) {
  const {kind, kinds} = trace.meta;
  trace.marker.color = kinds ? kinds.map(colour) : colour(kind);
  trace.marker.line = {...trace.marker.line, color: trace.marker.color};
  if (trace.textfont) trace.textfont.color = colour("muted");
  if (trace.line) trace.line.color = colour(kind);
  for (const bar of [trace.error_x, trace.error_y]) if (bar) bar.color = colour(kind);
  return trace;
}

function laidOut(layout, width) {
  const narrow = width < NARROW, font = {color: colour("text"), size: 12, family: "system-ui, sans-serif"};
  const axis = {gridcolor: colour("line"), zeroline: false, linecolor: colour("line"), automargin: true, ticks: "outside", tickcolor: colour("line"), exponentformat: "power"};
  const below = {orientation: "h", x: 0, xanchor: "left", y: -0.22, yanchor: "top"};
  for (const shape of layout.shapes ?? []) shape.line.color = colour("muted");
  for (const note of layout.annotations ?? []) note.font = {color: colour("muted"), size: 11};
  return {
    ...layout, font, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true,
    margin: {l: 10, r: 10, t: 14, b: 48}, hoverlabel: {bgcolor: colour("panel"), bordercolor: colour("line"), font},
    xaxis: {...layout.xaxis, ...axis, title: {...layout.xaxis.title, standoff: 10}},
    yaxis: {...layout.yaxis, ...axis, title: {...layout.yaxis.title, standoff: 8}},
    legend: narrow ? below : {x: 1.01, y: 1, tracegroupgap: 2},
  };
}

function show(chooser) {
  const wanted = [...chooser.querySelectorAll("[data-choice-of]")].map(choice => choice.value).join("|");
  const views = [...chooser.querySelectorAll("[data-view]")];
  for (const view of views) view.hidden = view.dataset.view !== wanted;
  const plot = chooser.querySelector(".plot"), view = views.find(view => !view.hidden);
  if (!plot) return;
  plot.setAttribute("aria-labelledby", view.querySelector("p").id);
  const {data, layout} = JSON.parse(view.querySelector("script").textContent);
  if (layout.height) plot.style.height = `${layout.height}px`;
  Plotly.react(plot, data.map(painted), laidOut(layout, plot.clientWidth), {responsive: true, displaylogo: false, displayModeBar: false});
}

// Plotly is stored compressed: 2 MB instead of 5.
async function loadPlotly() {
  const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), letter => letter.charCodeAt(0));
  const script = document.createElement("script");
  script.textContent = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  document.head.append(script);
}

const showAll = () => document.querySelectorAll("[data-chooser]").forEach(show);
loadPlotly().then(() => {
  document.addEventListener("change", event => event.target.matches("[data-choice-of]") && show(event.target.closest("[data-chooser]")));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showAll);
  matchMedia(`(max-width: ${NARROW}px)`).addEventListener("change", showAll);
  showAll();
});
