// The raw frames of the socket, newest first; bounded, can be paused and filtered. Tokens never come here.

import { at, el, say } from "./dom.js";
import { precise } from "./times.js";

const MOST = 500;

export class FrameLog {
  #frames = [];
  #paused = false;
  #seen = 0;
  #drawing = 0;

  constructor(connection) {
    connection.addEventListener("frame", ({ detail }) => this.#take(detail));
    at("log").addEventListener("toggle", () => this.#draw());
    at("log-filter").addEventListener("input", () => this.#draw());
    at("log-clear").addEventListener("click", () => {
      this.#frames = [];
      this.#draw();
    });
    at("log-pause").addEventListener("click", ({ target }) => {
      this.#paused = !this.#paused;
      target.setAttribute("aria-pressed", String(this.#paused));
      say(target, this.#paused ? "Go on" : "Pause");
    });
  }

  #take({ sent, text }) {
    this.#seen++;
    if (!this.#paused) {
      this.#frames.unshift({ sent, text, time: new Date() });
      this.#frames.length = Math.min(this.#frames.length, MOST);
    }
    this.#drawing ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#drawing = 0;
    say(at("log-count"), `${this.#seen} seen`);
    if (!at("log").open) return;
    const wanted = at("log-filter").value.toLowerCase();
    const fitting = this.#frames.filter(({ text }) => !wanted || text.toLowerCase().includes(wanted));
    const rows = at("log-rows");
    const known = new Map(Array.from(rows.children, (row) => [row.frame, row]));
    const drawn = fitting.map((frame) => known.get(frame) ?? line(frame));
    const kept = new Set(drawn);
    for (const row of known.values()) if (!kept.has(row)) row.remove();
    let place = rows.firstElementChild;
    for (const row of drawn) {
      if (row === place) place = place.nextElementSibling;
      else rows.insertBefore(row, place);
    }
  }
}

function line(frame) {
  const row = el("li", { "data-way": frame.sent ? "sent" : "heard" }, el("time", {}, precise(frame.time)), el("span", { class: "way", "aria-label": frame.sent ? "sent" : "received" }, frame.sent ? "↑" : "↓"), el("code", {}, frame.text));
  row.frame = frame;
  return row;
}
