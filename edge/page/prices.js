// Live quotes: asks for what somebody wants to see, keeps the newest of each symbol, asks again after a reconnect.

import { isNewer } from "./quote.js";

const PACE_HZ = 4;

/** Events: `quote` {quote, before} for each change, `refused` {symbol, reason, message}. */
export class Prices extends EventTarget {
  #connection;
  #wanted = new Map();
  #asked = new Set();
  #quotes = new Map();
  #why = new Map();
  #syncing = Promise.resolve();

  constructor(connection) {
    super();
    this.#connection = connection;
    connection.addEventListener("ready", () => {
      this.#asked.clear();
      this.#sync();
    });
    connection.addEventListener("state", ({ detail }) => detail.state !== "ready" && this.#fade());
    connection.addEventListener("prices.update", ({ detail }) => detail.quotes.forEach((quote) => this.#take(quote)));
    connection.addEventListener("prices.status", ({ detail }) => this.#mark(detail));
  }

  /** Say which symbols somebody (a name) wants; it replaces what that one wanted before. */
  want(who, symbols) {
    this.#wanted.set(who, new Set(symbols));
    this.#sync();
  }

  quote(symbol) {
    return this.#quotes.get(symbol);
  }

  /** Why a symbol is stale or halted, in the server's words; "" when it is neither or nobody said. */
  why(symbol) {
    return this.#why.get(symbol) ?? "";
  }

  #sync() {
    this.#syncing = this.#syncing.then(() => this.#change()).catch((error) => this.#failed(error));
  }

  async #change() {
    if (!this.#connection.isReady) return;
    const wanted = new Set([...this.#wanted.values()].flatMap((symbols) => [...symbols]));
    const more = [...wanted].filter((symbol) => !this.#asked.has(symbol));
    const less = [...this.#asked].filter((symbol) => !wanted.has(symbol));
    if (less.length) {
      less.forEach((symbol) => this.#asked.delete(symbol));
      await this.#connection.ask("prices.unsubscribe", { symbols: less });
    }
    if (more.length) {
      more.forEach((symbol) => this.#asked.add(symbol));
      const { quotes, refused } = await this.#connection.ask("prices.subscribe", { symbols: more, mode: "QUOTE", maxHz: PACE_HZ });
      quotes.forEach((quote) => this.#take(quote));
      refused.forEach((detail) => this.dispatchEvent(new CustomEvent("refused", { detail })));
    }
  }

  #failed(error) {
    for (const symbol of error.details?.symbols ?? []) {
      this.dispatchEvent(new CustomEvent("refused", { detail: { symbol, reason: error.reason, message: error.message } }));
    }
    // What the server could not serve now is asked for again; after a lost connection "ready" does it.
    if (error.retry === "after" && this.#connection.isReady) {
      this.#asked.clear();
      setTimeout(() => this.#sync(), Math.max(1_000, error.retryAfterMs));
    }
  }

  #take(quote) {
    const before = this.#quotes.get(quote.symbol);
    if (!isNewer(quote, before)) return;
    if (quote.state === "LIVE") this.#why.delete(quote.symbol);
    this.#quotes.set(quote.symbol, quote);
    this.dispatchEvent(new CustomEvent("quote", { detail: { quote, before } }));
  }

  /** Without a connection no quote is live; the snapshot after the next one says how each stands. */
  #fade() {
    for (const [symbol, before] of this.#quotes) {
      if (before.state === "OFFLINE") continue;
      const quote = { ...before, state: "OFFLINE" };
      this.#quotes.set(symbol, quote);
      this.dispatchEvent(new CustomEvent("quote", { detail: { quote, before } }));
    }
  }

  #mark({ symbol, state, reason }) {
    const before = this.#quotes.get(symbol);
    if (reason) this.#why.set(symbol, reason);
    else this.#why.delete(symbol);
    if (!before) return;
    const quote = { ...before, state };
    this.#quotes.set(symbol, quote);
    this.dispatchEvent(new CustomEvent("quote", { detail: { quote, before } }));
  }
}
