// The page of a moderator: shows one case, has the next ones ready, and sends decisions behind it.
import { follow } from "./news.js";
import { Outbox } from "./outbox.js";
import { store } from "./store.js";
import { post } from "./wire.js";

const READY_CASES = 3;
const HOLD_MS = 30_000; // the server holds cases for minutes
const LOOK_AGAIN_MS = 10_000;
const MOST_PAST = 20;
const DECIDED = { actioned: "Actioned", dismissed: "Dismissed", escalated: "Escalated" };
const SENTENCES = {
  lost: "The server does not answer: what you decide is kept in this browser and sent as soon as it does.",
  "signed-out": "You are signed out, or signed in under another name: what you decided is kept in this browser and sent once you are back.",
  expired: "Your hold on this case is over, so another moderator may have it by now: press s for the next one, or decide it, which counts if nobody else did.",
  reopened: "This case is open again and nobody's: decide it anew, or press s to leave it to the queue.",
};

const find = (id) => document.getElementById(id);
const { moderator } = find("review").dataset;
const [desk, idle, note, notices, help] = ["desk", "idle", "note", "notices", "help"].map(find);
const cases = []; // those here, the one that is shown first
const past = []; // those decided here, the latest last
const aside = []; // ids of those put aside here
let isReady = false; // whether the case shown has been painted, so that no key decides one unseen
let isAsking = false;
let asksAgain = false; // something happened since that the answer may not know
let resumes = true; // whether the server may hold cases for us that never arrived
let count = 0;

const outbox = new Outbox(moderator, (answer, letter) => {
  tellLost(answer);
  const id = letter.body.case_id;
  const isUndo = letter.path.endsWith("/undo");
  if (answer.kind === "refused") {
    drop(past, id);
    if (isUndo) { remove(id); }
    tellRefused(id, answer.detail);
  } else if (answer.kind === "done" && isUndo) {
    ask(1); // most often it is the most urgent one, and ours again
  } else if (answer.kind === "done" && !cases.length) {
    fill(); // it may have been the last one
  }
  tellSaved();
});

const deeds = {
  actioned: () => decide("actioned"),
  dismissed: () => decide("dismissed"),
  escalated: () => decide("escalated"),
  undo,
  skip,
  reveal: () => cases[0]?.article.querySelector(".reveal input")?.click(),
  note: () => {
    note.closest("p").hidden = false;
    note.focus();
  },
  help: () => help.showModal(),
};
const keys = { a: "actioned", d: "dismissed", e: "escalated", u: "undo", s: "skip", b: "reveal", n: "note", "?": "help" };

function decide(verdict) {
  if (!isReady || !cases.length) { return; }
  const one = cases.shift();
  one.article.remove();
  past.push(one);
  past.splice(0, past.length - MOST_PAST);
  outbox.write("/console/review/decide", { case_id: one.id, verdict, note: note.value });
  count += 1;
  goOn(`${DECIDED[verdict]}.`);
}

function undo() {
  const one = past.pop();
  if (!one) { say("Nothing that was decided on this page is left to take back. A case's own page can open it again."); return; }
  outbox.write("/console/review/undo", { case_id: one.id, reason: "Taken back at once." });
  count -= 1;
  Object.assign(one, { isHeld: false, notice: "reopened" });
  cases.unshift(one);
  desk.prepend(one.article);
  goOn("Taken back.");
}

function skip() {
  if (!isReady || !cases.length) { return; }
  const one = cases.shift();
  one.article.remove();
  aside.push(one.id);
  if (one.isHeld) { post("/console/review/release", { moderator, case_ids: [one.id] }); }
  goOn("Put aside.");
}

function goOn(said) {
  note.value = "";
  note.closest("p").hidden = true;
  show();
  say(cases.length ? `${said} Next: ${cases[0].title}` : said);
  tellSaved();
  fill();
}

function show() {
  isReady = false;
  cases.forEach((one, place) => { one.article.hidden = place > 0; });
  idle.hidden = cases.length > 0;
  tell("case", cases[0]?.notice && SENTENCES[cases[0].notice]);
  scrollTo(0, 0);
  if (document.activeElement === document.body || desk.contains(document.activeElement) || document.activeElement === note) {
    (cases[0]?.article.querySelector("h2") ?? idle).focus({ preventScroll: true });
  }
  requestAnimationFrame(() => setTimeout(() => { isReady = true; }));
}

function fill() {
  const missing = READY_CASES - cases.length;
  if (missing > 0) { ask(missing); }
}

async function ask(most) {
  if (isAsking) { asksAgain = true; return; }
  isAsking = true;
  const known = [...cases.map((one) => one.id), ...outbox.letters.map((letter) => letter.body.case_id), ...aside];
  const answer = await post("/console/review/cases", { moderator, most, resumes, case_ids: known.slice(0, 100) });
  isAsking = false;
  tellLost(answer);
  resumes = answer.kind !== "done";
  if (answer.kind !== "done") {
    if (answer.detail) { idle.textContent = answer.detail; }
    return;
  }
  const wasIdle = !cases.length;
  answer.answer.cases.forEach((sent) => take(sent, answer.answer.seconds));
  if (wasIdle) { show(); }
  if (answer.answer.is_done) {
    idle.textContent = "Done: the queue is empty. New cases appear here by themselves.";
  } else if (answer.answer.left !== null) {
    idle.textContent = `No case is free for you just now; ${answer.answer.left} in all, with other moderators or not yours to judge. This page looks again by itself.`;
  }
  desk.ariaBusy = false;
  if (asksAgain) {
    asksAgain = false;
    fill();
  }
}

function take({ case_id: id, html }, seconds) {
  const until = Date.now() + seconds * 1_000;
  let one = cases.find((known) => known.id === id);
  if (!one) {
    const holder = document.createElement("template");
    holder.innerHTML = html; // escaped by the server
    const article = holder.content.firstElementChild;
    article.hidden = true;
    desk.append(article);
    one = { id, article, title: article.querySelector("h2").textContent };
    cases.push(one);
    conceal(article);
  }
  Object.assign(one, { isHeld: true, until, notice: undefined });
  if (one === cases[0]) { tell("case"); }
}

// What is blurred is not read out either.
function conceal(article) {
  const box = article.querySelector(".reveal input");
  const apply = () => article.querySelectorAll(".content").forEach((text) => { text.ariaHidden = !box.checked; });
  box?.addEventListener("change", apply);
  apply();
}

async function hold() {
  const held = cases.filter((one) => one.isHeld);
  if (!held.length) { return; }
  const answer = await post("/console/review/hold", { moderator, case_ids: held.map((one) => one.id) });
  tellLost(answer);
  const kept = answer.kind === "done" ? answer.answer.case_ids : [];
  for (const one of held) {
    if (kept.includes(one.id)) {
      one.until = Date.now() + find("review").dataset.leaseSeconds * 1_000;
    } else if (answer.kind === "done" || Date.now() > one.until) {
      lose(one);
    }
  }
  fill();
}

function lose(one) {
  one.isHeld = false;
  if (one !== cases[0]) { remove(one.id); return; }
  one.notice = "expired";
  tell("case", SENTENCES.expired);
}

function remove(id) {
  const wasFirst = cases[0]?.id === id;
  drop(cases, id)?.article.remove();
  if (wasFirst) { show(); }
  fill();
}

function drop(list, id) {
  const place = list.findIndex((one) => one.id === id);
  return place < 0 ? undefined : list.splice(place, 1)[0];
}

function say(text) { find("said").textContent = text; }

function tellSaved() {
  const waiting = outbox.letters.length;
  find("saved").textContent = `${count} decided here, ${waiting ? `${waiting} not sent yet` : "all saved"}`;
}

function tellLost(answer) {
  tell("lost", answer.kind === "lost" && (answer.detail ?? SENTENCES.lost));
  tell("signed-out", answer.kind === "signed-out" && SENTENCES["signed-out"], ["Sign in", "/console/sign-in"]);
}

function tellRefused(id, detail) {
  const box = tell(`refused-${id}`, `Your decision was not taken. ${detail}`, ["Look at the case", `/console/cases/${id}`]);
  const close = document.createElement("button");
  Object.assign(close, { type: "button", className: "plain", textContent: "Close", onclick: () => box.remove() });
  box.append(close);
}

// One notice of each kind; without a text there is none.
function tell(kind, text, link) {
  let box = [...notices.children].find((one) => one.dataset.kind === kind);
  if (!text) { box?.remove(); return undefined; }
  if (box?.dataset.text === text) { return box; }
  box?.remove();
  box = document.createElement("p");
  box.className = "notice";
  Object.assign(box.dataset, { kind, text });
  box.append(text);
  if (link) {
    const anchor = document.createElement("a");
    [anchor.textContent, anchor.href] = link;
    box.append(" ", anchor, " ");
  }
  notices.append(box);
  return box;
}

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("textarea, select, input:not([type=checkbox]), [contenteditable]");
  if (event.target === note && event.key === "Escape") {
    note.closest("p").hidden = !note.value;
    (cases[0]?.article.querySelector("h2") ?? idle).focus();
  }
  if (isTyping || help.open || event.isComposing || event.repeat) { return; }
  if (event.ctrlKey || event.metaKey || event.altKey || store.getItem("flagrank-keys") === "off") { return; }
  const deed = keys[event.key];
  if (deed === undefined) { return; }
  event.preventDefault(); // the key of the note is not its first letter
  deeds[deed]();
});
document.querySelectorAll("[data-do]").forEach((button) => {
  button.addEventListener("click", () => deeds[button.dataset.do]());
});
const single = find("single-keys");
single.checked = store.getItem("flagrank-keys") !== "off";
single.addEventListener("change", () => store.setItem("flagrank-keys", single.checked ? "on" : "off"));

document.addEventListener("visibilitychange", () => {
  if (document.hidden) { return; }
  hold();
  outbox.send();
});
addEventListener("pagehide", () => {
  const case_ids = cases.filter((one) => one.isHeld).map((one) => one.id);
  const body = JSON.stringify({ moderator, case_ids, is_leaving: true });
  if (case_ids.length) { navigator.sendBeacon("/console/review/hold", new Blob([body], { type: "application/json" })); }
});
addEventListener("pageshow", (event) => { if (event.persisted) { hold(); } });
addEventListener("online", () => { hold(); fill(); });
setInterval(() => { if (!document.hidden) { hold(); } }, HOLD_MS);
setInterval(() => { if (!document.hidden) { fill(); } }, LOOK_AGAIN_MS);
follow((news) => {
  find("count").textContent = news.words;
  if (!cases.length && news.open) { fill(); }
});
tellSaved();
fill();
