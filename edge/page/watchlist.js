// The watch-list: rows of live prices, kept in this browser.

import { at, el, flash, say } from "./dom.js";
import { shown } from "./money.js";
import { ageMs, dayChange } from "./quote.js";
import { age } from "./times.js";

const KEY = "stockmesh.watched";
const FIRST = ["AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "TSLA", "JPM", "BRK.B", "NFLX"];
const AGED_MS = 3_000;

export class WatchList {
  #prices;
  #instruments;
  #connection;
  #choose;
  #rows = new Map();
  #chosen = "";

  constructor({ prices, instruments, connection, choose }) {
    [this.#prices, this.#instruments, this.#connection, this.#choose] = [prices, instruments, connection, choose];
    for (const symbol of JSON.parse(localStorage.getItem(KEY) ?? "null") ?? FIRST) this.#append(symbol);
    this.#changed();
    prices.addEventListener("quote", ({ detail }) => this.#show(detail.quote, detail.before));
    prices.addEventListener("refused", ({ detail }) => this.#refuse(detail));
    connection.addEventListener("ready", () => this.#rows.forEach((row, symbol) => this.#name(symbol, row)));
    setInterval(() => this.#rows.forEach((row, symbol) => this.#age(row, this.#prices.quote(symbol))), 1_000);
  }

  get first() {
    return this.#rows.keys().next().value ?? FIRST[0];
  }

  has(symbol) {
    return this.#rows.has(symbol);
  }

  add(symbol) {
    if (this.has(symbol)) return;
    this.#append(symbol);
    this.#changed();
    const quote = this.#prices.quote(symbol);
    if (quote) this.#show(quote);
  }

  remove(symbol) {
    this.#rows.get(symbol)?.line.remove();
    this.#rows.delete(symbol);
    this.#changed();
  }

  mark(symbol) {
    this.#rows.get(this.#chosen)?.line.removeAttribute("aria-current");
    this.#chosen = symbol;
    this.#rows.get(symbol)?.line.setAttribute("aria-current", "true");
  }

  #append(symbol) {
    const name = el("small", { class: "quiet" });
    const [price, move] = [el("td", { class: "number price" }, "—"), el("td", { class: "number" }, "—")];
    const [badge, old] = [el("span", { class: "badge", hidden: true }), el("small", { class: "quiet" })];
    const pick = el("button", { type: "button", class: "pick", on: { click: () => this.#choose(symbol) } }, el("b", {}, symbol), name);
    const drop = el("button", { type: "button", class: "icon", "aria-label": `Stop watching ${symbol}`, on: { click: () => this.remove(symbol) } }, "×");
    const line = el("tr", { "data-symbol": symbol }, el("th", { scope: "row" }, pick), price, move, el("td", { class: "state" }, badge, old), el("td", { class: "end" }, drop));
    line.addEventListener("click", (event) => event.target.closest("button") ?? this.#choose(symbol));
    at("watch-rows").append(line);
    const row = { line, name, price, move, badge, old };
    this.#rows.set(symbol, row);
    if (symbol === this.#chosen) line.setAttribute("aria-current", "true");
    this.#name(symbol, row);
  }

  async #name(symbol, row) {
    say(row.name, (await this.#instruments.find(symbol))?.name ?? "");
  }

  #changed() {
    const symbols = [...this.#rows.keys()];
    localStorage.setItem(KEY, JSON.stringify(symbols));
    this.#prices.want("watch-list", symbols);
    say(at("watch-count"), symbols.length ? String(symbols.length) : "");
    at("watch-empty").hidden = symbols.length > 0;
  }

  #show(quote, before) {
    const row = this.#rows.get(quote.symbol);
    if (!row) return;
    const moved = before && quote.price !== before.price ? Number(quote.price) - Number(before.price) : 0;
    say(row.price, shown(quote.price));
    if (moved) flash(row.price, moved > 0 ? "up" : "down");
    const change = dayChange(quote);
    say(row.move, change?.text ?? "—");
    row.move.dataset.sign = change?.sign ?? 0;
    badge(row.badge, quote, this.#prices.why(quote.symbol));
    this.#age(row, quote);
  }

  #age(row, quote) {
    const old = quote ? ageMs(quote, this.#connection.now) : null;
    say(row.old, old === null || (old < AGED_MS && quote.state === "LIVE") ? "" : age(old));
  }

  #refuse({ symbol, reason, message }) {
    const row = this.#rows.get(symbol);
    if (!row) return;
    row.badge.hidden = false;
    row.badge.dataset.state = "REFUSED";
    row.badge.title = message;
    say(row.badge, reason.replaceAll("_", " "));
  }
}

/** Show how far a quote can be trusted. */
export function badge(element, quote, why) {
  element.hidden = false;
  element.dataset.state = quote.state;
  element.title = why;
  say(element, quote.state);
}
