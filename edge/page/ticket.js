// The order ticket: what is asked for, what it would cost, one press, one order.

import { at, el, say } from "./dom.js";
import { insist } from "./insist.js";
import { begin, settle, unfinished } from "./intent.js";
import { decimal, micros, shown, stepped } from "./money.js";
import { advice } from "./reasons.js";
import { dated, missing, read, words } from "./wish.js";
import { stateWords } from "./orderlist.js";

const PREVIEW_PAUSE_MS = 250;
const PREVIEW_EVERY_MS = 5_000;
// The second press of a double click comes after the answer to the first; it must not be a second wish.
const REARM_MS = 900;

export class Ticket {
  #connection;
  #prices;
  #instruments;
  #orders;
  #form = at("order");
  #symbol = "";
  #busy = null;
  #previews = 0;
  #timer = 0;
  #previewedAt = 0;
  #shownOrder = "";

  constructor({ connection, prices, instruments, orders }) {
    [this.#connection, this.#prices, this.#instruments, this.#orders] = [connection, prices, instruments, orders];
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#form.addEventListener("input", (event) => this.#changed(event.target));
    this.#form.limitPrice.addEventListener("keydown", (event) => this.#step(event));
    at("bid").addEventListener("click", () => this.#take("bid"));
    at("ask").addEventListener("click", () => this.#take("ask"));
    at("give-up").addEventListener("click", () => this.#busy?.abort());
    prices.addEventListener("quote", ({ detail }) => detail.quote.symbol === this.#symbol && this.#quote(detail.quote));
    orders.addEventListener("changed", ({ detail }) => detail.order.orderId === this.#shownOrder && this.#tellOrder(detail.order));
    connection.addEventListener("ready", () => this.#ready());
    connection.addEventListener("state", () => this.#label());
  }

  async show(symbol) {
    if (symbol === this.#symbol) return;
    this.#symbol = symbol;
    this.#form.limitPrice.value = "";
    say(at("ticket-symbol"), symbol);
    ["bid", "ask"].forEach((side) => this.#touch(side, ""));
    const quote = this.#prices.quote(symbol);
    if (quote) this.#quote(quote);
    this.#changed();
    await this.#steps();
  }

  async #steps() {
    const instrument = await this.#instruments.find(this.#symbol);
    if (instrument?.symbol !== this.#symbol) return;
    const { tickSize, lotSize, currency } = instrument;
    say(at("steps"), `Price step ${tickSize} ${currency} · lot ${lotSize}${lotSize === "1" ? " share" : " shares"}`);
  }

  #ready() {
    this.#steps();
    this.#changed();
    const intent = unfinished(this.#connection.identity.subject);
    if (intent && !this.#busy) this.#place(intent, { isOpen: true });
  }

  #changed(field = null) {
    const wish = read(this.#form, this.#symbol);
    at("limit").hidden = wish.type !== "LIMIT";
    if (wish.type === "LIMIT" && !wish.limitPrice && field?.name !== "limitPrice") {
      const price = this.#prices.quote(this.#symbol)?.price;
      if (price) this.#form.limitPrice.value = decimal(micros(price));
    }
    this.#form.dataset.side = wish.side;
    if (field && !this.#busy) at("outcome").hidden = true;
    this.#label();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#preview(), PREVIEW_PAUSE_MS);
  }

  #label() {
    if (this.#busy) return;
    const identity = this.#connection.identity;
    const mayTrade = !identity || identity.scopes.includes("trade");
    at("send").disabled = !this.#connection.isReady || !mayTrade;
    say(at("send"), mayTrade ? words(read(this.#form, this.#symbol)) : "This token may only read");
  }

  #quote(quote) {
    this.#touch("bid", quote.bid);
    this.#touch("ask", quote.ask);
    if (!this.#busy && !document.hidden && Date.now() - this.#previewedAt > PREVIEW_EVERY_MS) this.#preview();
  }

  #touch(side, price) {
    const button = at(side);
    button.disabled = !price;
    say(button.querySelector("b"), price ? shown(price) : "—");
  }

  #take(side) {
    const price = this.#prices.quote(this.#symbol)?.[side];
    this.#form.type.value = "LIMIT";
    this.#form.limitPrice.value = decimal(micros(price));
    this.#changed(this.#form.limitPrice);
  }

  #step(event) {
    const count = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    const step = this.#instruments.known(this.#symbol)?.tickSize;
    if (!count || !step) return;
    event.preventDefault();
    this.#form.limitPrice.value = stepped(this.#form.limitPrice.value, step, count * (event.shiftKey ? 10 : 1));
    this.#changed(this.#form.limitPrice);
  }

  async #preview() {
    this.#previewedAt = Date.now();
    const [number, wish] = [++this.#previews, read(this.#form, this.#symbol)];
    const gap = missing(wish);
    if (gap) return this.#explain("hint", gap.words);
    if (!this.#connection.isReady) return;
    try {
      const { order, estimatedAmount } = await this.#connection.ask("orders.preview", { order: { ...wish, ...this.#orders.account } });
      if (number === this.#previews) this.#estimate(order, estimatedAmount);
    } catch (error) {
      if (number !== this.#previews) return;
      // What was refused just now is told below already.
      if (at("outcome").dataset.reason === error.reason && !at("outcome").hidden) at("preview").replaceChildren();
      else this.#explain("refusal", error.message, advice(error));
    }
  }

  #estimate(order, amount) {
    const isBuy = order.side === "BUY";
    const currency = this.#instruments.known(order.symbol)?.currency ?? "";
    const rows = [[isBuy ? "Costs at most" : "Brings at least", `${shown(amount)} ${currency}`]];
    if (order.collarPrice) rows.push([isBuy ? "Never fills above" : "Never fills below", shown(order.collarPrice)]);
    const list = el("dl", {}, ...rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", { class: "price" }, value))));
    at("preview").replaceChildren(list);
    at("preview").dataset.kind = "estimate";
  }

  #explain(kind, what, todo = "") {
    at("preview").dataset.kind = kind;
    at("preview").replaceChildren(el("p", {}, what), ...(todo ? [el("p", { class: "todo" }, todo)] : []));
  }

  #send() {
    if (this.#busy || at("send").disabled) return;
    const wish = read(this.#form, this.#symbol);
    const gap = missing(wish);
    if (gap) {
      this.#form[gap.field]?.focus();
      return this.#tell("refused", "Not sent", gap.words);
    }
    this.#place(begin(dated({ ...wish, ...this.#orders.account }, this.#connection.now), this.#connection.identity.subject));
  }

  /** Place the wish, with its one key, until its outcome is known. */
  async #place(intent, { isOpen = false } = {}) {
    this.#busy = new AbortController();
    at("send").disabled = true;
    say(at("send"), "Sending…");
    if (isOpen) this.#wait("The page was loaded anew before an answer came");
    // Whoever else signs in meanwhile must not place it.
    const isStill = () => this.#connection.identity.subject === intent.subject;
    const onWait = (error) => this.#wait(error.message);
    try {
      const { order } = await insist(this.#connection, "orders.place", intent.params, { onWait, isOpen, isStill, signal: this.#busy.signal });
      settle();
      this.#shownOrder = order.orderId;
      this.#orders.take(order);
      this.#tellOrder(this.#orders.get(order.orderId));
    } catch (error) {
      this.#tell("refused", error.outcome === "UNKNOWN" ? "Not known" : "Refused", error.message, advice(error), error.reason);
      if (error.outcome !== "UNKNOWN" || this.#busy.signal.aborted) settle();
      this.#preview();
    } finally {
      at("give-up").hidden = true;
      setTimeout(() => {
        this.#busy = null;
        this.#label();
      }, REARM_MS);
    }
  }

  #wait(what) {
    at("give-up").hidden = false;
    say(at("send"), "Asking what became of it…");
    this.#tell("waiting", "No answer yet", `${what}. It is asked again with the same key, so it can never become two orders.`);
  }

  #tellOrder(order) {
    const { text, tone } = stateWords(order);
    const filled = order.averagePrice ? `${order.filledQuantity} of ${order.quantity} at ${shown(order.averagePrice)}` : "";
    this.#tell(tone, text, `${words(order)}.`, filled || order.reason?.message || "", order.reason?.code ?? "");
  }

  #tell(tone, title, ...lines) {
    const box = at("outcome");
    box.hidden = false;
    const [what, todo = "", code = ""] = lines;
    [box.dataset.tone, box.dataset.reason] = [tone, code];
    box.replaceChildren(el("b", {}, title), el("p", {}, what), ...(todo ? [el("p", { class: "todo" }, todo)] : []), ...(code ? [el("code", {}, code)] : []));
  }
}
