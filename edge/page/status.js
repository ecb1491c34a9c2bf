// How the connection stands: the chips in the bar, and the banner when there is something to know.

import { at, say } from "./dom.js";
import { age } from "./times.js";

const MARKET_EVERY_MS = 15_000;
const QUIET_FEED_MS = 5_000;
const DEGRADED_MS = 15_000;

export class Status {
  #connection;
  #feedAgeMs = -1;
  #feedAt = 0;
  #retryAt = null;
  #banner = "";
  #timer = 0;
  #renew;

  constructor({ connection, renew }) {
    this.#connection = connection;
    this.#renew = renew;
    connection.addEventListener("state", ({ detail }) => this.#state(detail));
    connection.addEventListener("ready", () => this.#market());
    connection.addEventListener("session.heartbeat", ({ detail }) => this.#feed(Number(detail.feedAgeMs)));
    connection.addEventListener("session.degraded", ({ detail }) => this.#degraded(detail));
    connection.addEventListener("session.expiring", ({ detail }) => this.#expiring(detail));
    connection.addEventListener("session.shutdown", () => this.#say("shutdown", "The server restarts; the connection comes back by itself."));
    at("banner-do").addEventListener("click", () => (this.#banner === "expiring" ? this.#renew() : connection.retryNow()));
    setInterval(() => this.#tick(), 500);
    setInterval(() => connection.isReady && !document.hidden && this.#market(), MARKET_EVERY_MS);
  }

  /** The new token has been taken. */
  renewed() {
    this.#hide("expiring");
  }

  #state({ state, words, at: retryAt }) {
    at("link").dataset.state = state;
    this.#retryAt = retryAt;
    say(at("link"), { ready: "Connected", connecting: "Connecting", off: "Offline", refused: "Signed out", waiting: "Reconnecting" }[state]);
    at("link").title = words;
    document.body.dataset.link = state;
    if (state === "waiting") this.#tick();
    else if (state !== "connecting") this.#hide("lost");
    if (state === "ready") this.#hide("shutdown");
    if (state !== "ready") at("market").hidden = true;
  }

  #tick() {
    if (this.#connection.state === "waiting") {
      const seconds = Math.max(0, Math.ceil((this.#retryAt - Date.now()) / 1000));
      this.#say("lost", `The connection is lost. Prices stand still; orders at the exchange live on. Trying again${seconds ? ` in ${seconds} s` : ""}.`, "Try now");
    }
    if (this.#connection.isReady && this.#feedAt) this.#feedChip();
  }

  async #market() {
    const status = await this.#connection.ask("market.status").catch(() => null);
    if (!status) return;
    at("market").hidden = false;
    at("market").dataset.state = status.state;
    this.#feed(Number(status.feedAgeMs));
  }

  #feed(milliseconds) {
    [this.#feedAgeMs, this.#feedAt] = [milliseconds, Date.now()];
    this.#feedChip();
  }

  #feedChip() {
    const market = at("market").dataset.state;
    if (!market) return;
    const isQuiet = this.#feedAgeMs < 0 || this.#feedAgeMs > QUIET_FEED_MS;
    const silence = this.#feedAgeMs < 0 ? "no prices" : `prices ${age(this.#feedAgeMs)} old`;
    say(at("market"), `Market ${market.toLowerCase()}${isQuiet ? ` · ${silence}` : ""}`);
    at("market").dataset.quiet = String(isQuiet);
  }

  #degraded({ maxHz, dropped }) {
    this.#say("degraded", `This browser reads slower than prices come: about ${maxHz} updates a second now, ${dropped} older ones left out. The newest price is always shown.`);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#hide("degraded"), DEGRADED_MS);
  }

  #expiring({ expireTime }) {
    this.#say("expiring", `Your token ends at ${new Date(expireTime).toLocaleTimeString()}.`, "Enter a new one");
  }

  #say(kind, words, action = "") {
    this.#banner = kind;
    at("banner").hidden = false;
    at("banner").dataset.kind = kind;
    say(at("banner-words"), words);
    at("banner-do").hidden = !action;
    say(at("banner-do"), action);
  }

  #hide(kind) {
    if (this.#banner !== kind) return;
    this.#banner = "";
    at("banner").hidden = true;
  }
}
