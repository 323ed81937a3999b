// Tells on the page of the queue what has moved since; rows stay where they are until they are asked for.
import { follow } from "./news.js";
import { store } from "./store.js";

const count = document.getElementById("count");
const hint = document.getElementById("hint");
const shown = new Set([...document.querySelectorAll("[data-case]")].map((row) => row.dataset.case));

follow((news) => {
  count.textContent = news.words;
  if (hint === null) { return; } // a page further down, or a filtered one
  const fresh = news.top.filter((id) => !shown.has(id)).length;
  hint.querySelector("span").textContent = fresh ? `${fresh} new among the first ${hint.dataset.top}. ` : "";
  hint.querySelector("a").hidden = !fresh;
});

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, select, textarea");
  if (event.key !== "r" || event.ctrlKey || event.metaKey || event.altKey || isTyping) { return; }
  if (store.getItem("flagrank-keys") !== "off") { document.getElementById("start").click(); }
});
