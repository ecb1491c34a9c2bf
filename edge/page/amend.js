// Changing an open order: its total quantity and its limit price.

import { at, say, sayOrHide } from "./dom.js";
import { insist } from "./insist.js";
import { decimal, micros, shown } from "./money.js";
import { advice } from "./reasons.js";

// After an answer that got lost these say that the change has arrived.
const ARRIVED = new Set(["ACTION_PENDING", "NOTHING_TO_REPLACE"]);

export class Amend {
  #connection;
  #orders;
  #order = null;

  constructor({ connection, orders }) {
    [this.#connection, this.#orders] = [connection, orders];
    at("amend-later").addEventListener("click", () => at("amend").close());
    at("amend-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  show(order) {
    this.#order = order;
    say(at("amend-title"), `Change ${order.side === "BUY" ? "buy" : "sell"} of ${order.symbol}`);
    say(at("amend-says"), `${order.filledQuantity} of ${order.quantity} filled, limit ${shown(order.limitPrice)}. The exchange decides; until then both can fill.`);
    at("amend-quantity").value = order.quantity;
    at("amend-price").value = decimal(micros(order.limitPrice));
    sayOrHide(at("amend-problem"), "");
    at("amend").showModal();
    at("amend-price").select();
  }

  async #send() {
    const { orderId, quantity, limitPrice } = this.#order;
    const wanted = { quantity: at("amend-quantity").value.trim(), limitPrice: at("amend-price").value.trim() };
    const params = { orderId, ...this.#orders.account };
    if (wanted.quantity !== quantity) params.quantity = wanted.quantity;
    if (micros(wanted.limitPrice) !== micros(limitPrice)) params.limitPrice = wanted.limitPrice;
    const button = at("amend-form").querySelector("[type=submit]");
    button.disabled = true;
    try {
      const { order } = await insist(this.#connection, "orders.replace", params);
      this.#orders.take(order);
      at("amend").close();
    } catch (error) {
      if (error.tries && ARRIVED.has(error.reason)) at("amend").close();
      else sayOrHide(at("amend-problem"), `${error.message}. ${advice(error)}`);
    } finally {
      button.disabled = false;
    }
  }
}
