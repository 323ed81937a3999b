// Draws each plot of the lead's page from the table behind it, and again as its numbers change.
import { follow } from "../review/news.js";

const figures = document.getElementById("figures");
const plots = new Map();

const readInks = () => [...document.querySelectorAll("#inks *")].map((one) => getComputedStyle(one).color);

function readTable(table) {
  const rows = [...table.tBodies[0].rows];
  const names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
  return {
    labels: rows.map((row) => row.cells[0].textContent),
    series: names.map((label, place) => ({
      label, data: rows.map((row) => Number(row.cells[place + 1].dataset.value)),
    })),
  };
}

function describe(section) {
  const inks = readInks();
  const [text, grid] = inks.slice(-2);
  const isStacked = section.dataset.plot === "bars";
  const { labels, series } = readTable(section.querySelector("table"));
  const page = getComputedStyle(document.body).backgroundColor;
  const datasets = series.map((one, place) => ({
    ...one, borderColor: inks[place % 6], backgroundColor: inks[place % 6],
    ...(isStacked ? { borderColor: page, borderWidth: 1 } : { borderWidth: 2, pointRadius: 0, borderDash: place ? [6, 3] : [] }),
  }));
  const ticks = { color: text, maxRotation: 0, autoSkipPadding: 16 };
  return {
    type: isStacked ? "bar" : "line",
    data: { labels, datasets },
    options: {
      animation: false, maintainAspectRatio: false, interaction: { mode: "index", intersect: false },
      scales: {
        x: { stacked: isStacked, ticks, grid: { display: false }, border: { color: text } },
        y: { stacked: isStacked, beginAtZero: true, ticks: { ...ticks, precision: 0 }, grid: { color: grid }, border: { display: false } },
      },
      plugins: { legend: { position: "bottom", labels: { color: text, usePointStyle: true, pointStyle: isStacked ? "rect" : "line", pointStyleWidth: 24 } } },
    },
  };
}

function draw() {
  for (const section of document.querySelectorAll("[data-plot]")) {
    plots.get(section)?.destroy();
    plots.set(section, new Chart(section.querySelector("canvas"), describe(section)));
  }
}

async function renew(digest) {
  if (figures.dataset.digest === digest) { return; }
  const answer = await fetch("/console/lead/figures");
  if (!answer.ok || answer.redirected) { return; } // signed out: the next load of the page says so
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (other !== null && other.innerHTML !== part.innerHTML) { part.innerHTML = other.innerHTML; }
  }
  figures.dataset.digest = digest;
  draw();
}

Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
follow(renew, "/console/lead/news");
