// Keeps what was decided until the server has it: past a lost network, a closed tab, and a sign-out.
import { store } from "./store.js";
import { post } from "./wire.js";

const PAUSES_MS = [500, 1_000, 2_000, 5_000, 10_000];

export class Outbox {
  // `told` hears of each letter that was answered, and of each try that failed: (answer, letter).
  constructor(moderator, told) {
    this.moderator = moderator;
    this.told = told;
    this.prefix = `flagrank-outbox ${moderator} `;
    this.count = 0;
    this.failures = 0;
    addEventListener("online", () => this.send());
    this.send();
  }

  // The letters that wait, in the order written, also those of other tabs.
  get letters() {
    return this.keys().map((key) => JSON.parse(store.getItem(key)));
  }

  write(path, body) {
    const order = `${Date.now()}`.padStart(15, "0") + `${this.count++}`.padStart(6, "0");
    store.setItem(this.prefix + order, JSON.stringify({ path, body: { ...body, moderator: this.moderator } }));
    this.send();
  }

  // One tab at a time, so that an undo never overtakes the decision that it undoes.
  async send() {
    clearTimeout(this.timer);
    if (this.isSending) { return; }
    this.isSending = true;
    try {
      if (navigator.locks) {
        await navigator.locks.request(this.prefix, () => this.sendAll());
      } else {
        await this.sendAll();
      }
    } finally {
      this.isSending = false;
    }
  }

  async sendAll() {
    for (let [key] = this.keys(); key; [key] = this.keys()) {
      const letter = JSON.parse(store.getItem(key));
      const answer = await post(letter.path, letter.body);
      if (answer.kind === "lost" || answer.kind === "signed-out") {
        const pause = PAUSES_MS[Math.min(this.failures++, PAUSES_MS.length - 1)];
        this.timer = setTimeout(() => this.send(), pause);
        this.told(answer, letter);
        return;
      }
      this.failures = 0;
      store.removeItem(key);
      this.told(answer, letter);
    }
  }

  keys() {
    const all = Array.from({ length: store.length }, (_, place) => store.key(place));
    return all.filter((key) => key.startsWith(this.prefix)).sort();
  }
}
