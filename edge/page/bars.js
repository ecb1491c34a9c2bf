// Bars of one chart: the past as it was answered, and the live bar that quotes build at its end. For drawing only.

import { drawn } from "./money.js";

const SECONDS = { "1min": 60, "5min": 300, "1h": 3_600, "1d": 86_400 };
const USUAL_SECONDS = { "1d": 60, "1w": 300, "1m": 3_600, "3m": 86_400, "1y": 86_400 };
const MOST = 5_000;

export class Bars {
  #list = [];
  #apart;
  #volume = null;

  /** From the bars of an answer, oldest first, for a range ("1d" …); `interval` ("1min" …) is theirs when the answer says it. */
  constructor(told, range, interval = "") {
    this.#list = told.map((bar) => ({
      time: Date.parse(bar.startTime) / 1000,
      open: drawn(bar.open),
      high: drawn(bar.high),
      low: drawn(bar.low),
      close: drawn(bar.close),
      volume: Number(bar.volume),
    }));
    const gaps = this.#list.slice(1).map((bar, index) => bar.time - this.#list[index].time);
    this.#apart = SECONDS[interval] ?? (gaps.length ? Math.min(...gaps) : USUAL_SECONDS[range]);
  }

  get list() {
    return this.#list;
  }

  /** Seconds from one bar to the next. */
  get apart() {
    return this.#apart;
  }

  /** Let a quote move the last bar, or begin a new one. Returns whether anything changed. */
  take(quote) {
    const price = drawn(quote.price);
    const time = Date.parse(quote.quoteTime ?? "") / 1000;
    if (price === null || Number.isNaN(time)) return false;
    const last = this.#list.at(-1);
    if (last && time < last.time) return false;
    const traded = this.#traded(quote);
    const start = last ? last.time + Math.floor((time - last.time) / this.#apart) * this.#apart : Math.floor(time / this.#apart) * this.#apart;
    if (!last || start > last.time) {
      this.#list.push({ time: start, open: price, high: price, low: price, close: price, volume: traded });
      if (this.#list.length > MOST) this.#list.shift();
      return true;
    }
    last.high = Math.max(last.high, price);
    last.low = Math.min(last.low, price);
    last.close = price;
    last.volume += traded;
    return true;
  }

  /** Shares traded since the quote before; the day's volume begins anew each day. */
  #traded(quote) {
    const volume = Number(quote.volume ?? 0);
    const before = this.#volume;
    this.#volume = volume;
    return before === null || volume < before ? 0 : volume - before;
  }

  /** Columns as the picture wants them: times, closes, highs, lows, opens, volumes. */
  columns() {
    return ["time", "close", "high", "low", "open", "volume"].map((name) => this.#list.map((bar) => bar[name]));
  }
}
