// The chart of the chosen symbol: its past, its live bar, and the day in figures.

import { Bars } from "./bars.js";
import { Picture } from "./canvas.js";
import { at, chosen, el, flash, say, sayOrHide } from "./dom.js";
import { grouped, shown } from "./money.js";
import { pauseMs } from "./pause.js";
import { dayChange } from "./quote.js";
import { began } from "./times.js";
import { badge } from "./watchlist.js";

const FIGURES = [["open", "Open"], ["high", "High"], ["low", "Low"], ["previousClose", "Prev. close"], ["bid", "Bid"], ["ask", "Ask"], ["volume", "Volume"]];
const RANGES = { "1d": "one day", "1w": "one week", "1m": "one month", "3m": "three months", "1y": "one year" };
const DRAW_MS = 250;

export class Chart {
  #connection;
  #prices;
  #instruments;
  #symbol = "";
  #bars = null;
  #cursor = null;
  #loading = 0;
  #timer = 0;
  #drawTimer = 0;
  #picture = new Picture(at("plot"), (index) => this.#read(index));

  constructor({ connection, prices, instruments }) {
    [this.#connection, this.#prices, this.#instruments] = [connection, prices, instruments];
    prices.addEventListener("quote", ({ detail }) => detail.quote.symbol === this.#symbol && this.#take(detail.quote, detail.before));
    connection.addEventListener("ready", () => this.#load());
    at("ranges").addEventListener("change", () => this.#load({ anew: true }));
    at("shapes").addEventListener("change", () => this.#draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
    document.addEventListener("visibilitychange", () => !document.hidden && this.#load());
    for (const [, words] of FIGURES) at("day").append(el("div", {}, el("dt", {}, words), el("dd", { class: "price" }, "—")));
  }

  show(symbol) {
    if (symbol === this.#symbol) return;
    this.#symbol = symbol;
    this.#prices.want("chart", [symbol]);
    say(at("chart-title"), symbol);
    say(at("chart-name"), "");
    ["chart-price", "chart-change"].forEach((id) => say(at(id), ""));
    at("chart-state").hidden = true;
    this.#load({ anew: true });
    const quote = this.#prices.quote(symbol);
    if (quote) this.#take(quote);
  }

  async #load({ anew = false } = {}) {
    clearTimeout(this.#timer);
    const [symbol, range] = [this.#symbol, chosen(at("ranges"))];
    const number = ++this.#loading;
    if (anew) {
      this.#bars = null;
      this.#picture.clear();
      sayOrHide(at("plot-says"), "Loading…");
    }
    if (!symbol || !this.#connection.isReady) return;
    this.#name(symbol);
    try {
      const { prices } = await this.#connection.ask("prices.history", { symbol, timerange: range });
      if (number !== this.#loading) return;
      const { bars = [], interval = "", sources = [] } = prices[0] ?? {};
      this.#bars = new Bars(bars, range, interval);
      sayOrHide(at("plot-source"), sources.length ? `past: ${sources.join(", ")}` : "");
      sayOrHide(at("plot-says"), "");
    } catch (error) {
      if (number !== this.#loading) return;
      // Without its past, a chart can still grow from now on.
      this.#bars ??= new Bars([], range);
      sayOrHide(at("plot-says"), `${error.message}. The live price goes on.`);
      if (error.retry !== "never") this.#timer = setTimeout(() => this.#load(), Math.max(2_000, error.retryAfterMs) + pauseMs(2));
    }
    const quote = this.#prices.quote(symbol);
    if (quote) this.#bars.take(quote);
    this.#draw();
  }

  async #name(symbol) {
    const instrument = await this.#instruments.find(symbol);
    if (instrument && symbol === this.#symbol) say(at("chart-name"), [instrument.name, instrument.exchange, instrument.currency].filter(Boolean).join(" · "));
  }

  #take(quote, before) {
    const price = at("chart-price");
    say(price, shown(quote.price));
    if (before && before.price !== quote.price) flash(price, Number(quote.price) > Number(before.price) ? "up" : "down");
    const change = dayChange(quote);
    say(at("chart-change"), change?.text ?? "");
    at("chart-change").dataset.sign = change?.sign ?? 0;
    badge(at("chart-state"), quote, this.#prices.why(quote.symbol));
    const cells = at("day").querySelectorAll("dd");
    FIGURES.forEach(([name], index) => say(cells[index], name === "volume" ? grouped(quote.volume ?? "0") : shown(quote[name])));
    document.title = `${quote.symbol} ${shown(quote.price)} · stockmesh`;
    if (quote.state !== "OFFLINE" && this.#bars?.take(quote)) this.#drawTimer ||= setTimeout(() => this.#redraw(), DRAW_MS);
  }

  #redraw() {
    this.#drawTimer = 0;
    if (!this.#bars || document.hidden) return;
    if (!this.#picture.refresh(this.#bars)) return this.#draw();
    this.#read(this.#cursor);
  }

  #draw() {
    const bars = this.#bars;
    if (!bars) return;
    if (!bars.list.length) return sayOrHide(at("plot-says"), "There is no history of this range yet. The live price goes on.");
    this.#picture.draw(bars, chosen(at("shapes")));
    const closes = bars.list.map((bar) => bar.close);
    at("plot").setAttribute("aria-label", `${this.#symbol}, ${RANGES[chosen(at("ranges"))]}: from ${Math.min(...closes).toFixed(2)} to ${Math.max(...closes).toFixed(2)}, last ${closes.at(-1).toFixed(2)}`);
    this.#read(null);
  }

  /** Say the bar below the cursor, or the last one. */
  #read(index) {
    this.#cursor = index;
    const bar = this.#bars?.list[index ?? this.#bars.list.length - 1];
    if (!bar) return say(at("plot-bar"), "");
    const words = began(new Date(bar.time * 1000), this.#bars.apart);
    const figures = [["O", bar.open], ["H", bar.high], ["L", bar.low], ["C", bar.close]].map(([name, value]) => `${name} ${value.toFixed(2)}`);
    say(at("plot-bar"), [words, ...figures, `V ${grouped(bar.volume)}`].join("   "));
  }
}
