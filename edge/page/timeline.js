// What happened to one order, hop by hop, with the time that each took.

import { at, el, say, sayOrHide } from "./dom.js";
import { precise } from "./times.js";

export class Timeline {
  #connection;
  #orders;

  constructor({ connection, orders }) {
    [this.#connection, this.#orders] = [connection, orders];
    at("timeline-close").addEventListener("click", () => at("timeline").close());
  }

  async show(order) {
    say(at("timeline-title"), `${order.side === "BUY" ? "Buy" : "Sell"} ${order.quantity} ${order.symbol}`);
    const facts = [["State", order.state], ["Order id", order.orderId], ["Your key", order.clientOrderId], ["Exchange's id", order.exchangeOrderId || "—"]];
    if (order.reason) facts.push(["Reason", `${order.reason.code}: ${order.reason.message}`]);
    at("timeline-facts").replaceChildren(...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
    at("timeline-steps").replaceChildren();
    sayOrHide(at("timeline-problem"), "");
    at("timeline").showModal();
    try {
      const { entries } = await this.#connection.ask("orders.timeline", { orderId: order.orderId, ...this.#orders.account });
      at("timeline-steps").replaceChildren(...entries.map((entry, index) => step(entry, entries[index - 1])));
    } catch (error) {
      sayOrHide(at("timeline-problem"), error.message);
    }
  }
}

function step(entry, before) {
  const time = new Date(entry.eventTime);
  const took = before ? time - new Date(before.eventTime) : 0;
  return el("li", {}, el("b", {}, entry.event.replaceAll("_", " ")), el("span", { class: "quiet" }, entry.detail), el("time", { class: "price" }, precise(time)), el("small", { class: "price quiet" }, before ? `${took >= 0 ? "+" : "−"}${Math.abs(took)} ms` : ""));
}
