// Draws every chart of the page, anew for print, and lets the reader choose colours.

const charts = [...document.querySelectorAll("figure.chart")].map((figure) => new Chart(figure));
window.addEventListener("beforeprint", () => charts.forEach((chart) => chart.resize(PRINTED)));
window.addEventListener("afterprint", () => charts.forEach((chart) => chart.resize(chart.box.clientWidth)));

// Light, dark, or as the system has it; kept where the browser keeps anything for a file.
const button = document.getElementById("theme");
const root = document.documentElement;
const kept = (write) => {
  try {
    if (write !== undefined) localStorage.setItem("herder-theme", write);
    return localStorage.getItem("herder-theme") ?? "";
  } catch { return write ?? ""; }
};
const show = (theme) => {
  if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
  button.textContent = { light: "Light", dark: "Dark" }[theme] ?? "Auto";
  button.setAttribute("aria-label", `Colours: ${theme || "as the system has them"}`);
};
show(kept());
button.hidden = false;
button.onclick = () => show(kept({ "": "light", light: "dark", dark: "" }[root.dataset.theme ?? ""]));
