// The list of orders on the page: one row each, live, with what can be done about it.

import { at, chosen, el, flash, say } from "./dom.js";
import { insist } from "./insist.js";
import { grouped, shown } from "./money.js";
import { advice } from "./reasons.js";
import { when } from "./times.js";

const MOST_ROWS = 300;
const TONES = { PENDING: "moving", SUBMITTED: "moving", PLACED: "resting", PARTIALLY_FILLED: "resting", FILLED: "done", CANCELED: "ended", REJECTED: "refused", EXPIRED: "ended" };
const CLOSED = new Set(["FILLED", "CANCELED", "REJECTED", "EXPIRED"]);
const CHANGEABLE = new Set(["PLACED", "PARTIALLY_FILLED"]);
const WISHES = { CANCEL: "cancel asked", REPLACE: "change asked" };

/** The state of an order in words, and the tone in which to show them. */
export const stateWords = ({ state }) => ({ text: state.replaceAll("_", " "), tone: TONES[state] ?? "moving" });

export class OrderList {
  #orders;
  #connection;
  #rows = new Map();
  #amend;
  #timeline;
  #choose;

  constructor({ orders, connection, amend, timeline, choose }) {
    [this.#orders, this.#connection, this.#amend, this.#timeline, this.#choose] = [orders, connection, amend, timeline, choose];
    orders.addEventListener("reset", () => this.#draw());
    orders.addEventListener("changed", ({ detail }) => this.#changed(detail));
    at("which").addEventListener("change", () => this.#draw());
  }

  #draw() {
    this.#rows.clear();
    at("order-rows").replaceChildren(...this.#orders.list.filter(this.#fits).slice(0, MOST_ROWS).map((order) => this.#row(order)));
    this.#count();
  }

  #fits = (order) => chosen(at("which")) === "all" || !CLOSED.has(order.state);

  #changed({ order, before, event }) {
    const shownRow = this.#rows.get(order.orderId);
    if (!this.#fits(order)) {
      shownRow?.remove();
      this.#rows.delete(order.orderId);
    } else if (shownRow) {
      const row = this.#row(order);
      // Whoever is at a button of this row stays there.
      const action = shownRow.contains(document.activeElement) ? document.activeElement.dataset.action : "";
      shownRow.replaceWith(row);
      if (action) row.querySelector(`[data-action="${action}"]`)?.focus();
    } else {
      this.#insert(order);
    }
    const row = this.#rows.get(order.orderId);
    if (row && before && before.state !== order.state) flash(row.querySelector(".state"), order.state === "FILLED" ? "up" : "accent");
    if (event) say(at("orders-say"), `${order.symbol}: ${stateWords(order).text}`);
    this.#count();
  }

  #insert(order) {
    const place = this.#orders.list.filter(this.#fits).findIndex(({ orderId }) => orderId === order.orderId);
    const row = this.#row(order);
    at("order-rows").insertBefore(row, at("order-rows").children[place] ?? null);
    while (at("order-rows").children.length > MOST_ROWS) {
      this.#rows.delete(at("order-rows").lastElementChild.dataset.order);
      at("order-rows").lastElementChild.remove();
    }
  }

  #count() {
    const open = this.#orders.list.filter((order) => !CLOSED.has(order.state)).length;
    say(at("orders-count"), open ? `${open} open` : "");
    at("orders-empty").hidden = at("order-rows").children.length > 0;
  }

  #row(order) {
    const { text, tone } = stateWords(order);
    const isBuy = order.side === "BUY";
    const created = new Date(order.createTime);
    const what = el("td", { class: "what" },
      el("button", { type: "button", class: "pick", on: { click: () => this.#choose(order.symbol) } }, el("b", {}, order.symbol)),
      el("span", { class: isBuy ? "side buy" : "side sell" }, `${isBuy ? "Buy" : "Sell"} ${grouped(order.quantity)}`),
      el("small", { class: "quiet" }, `${order.type === "LIMIT" ? "Limit" : "Market"} · ${order.timeInForce}`));
    const state = el("td", { class: "state" },
      el("button", { type: "button", class: "badge", "data-tone": tone, "data-action": "timeline", title: "Show the timeline", on: { click: () => this.#timeline.show(order) } }, text),
      ...this.#notes(order));
    const price = order.limitPrice ? shown(order.limitPrice) : order.collarPrice ? el("small", { class: "quiet", title: "Never worse than the collar" }, `≤ ${shown(order.collarPrice)}`.replace("≤", isBuy ? "≤" : "≥")) : "—";
    const row = el("tr", { "data-order": order.orderId, "data-state": order.state, "data-key": order.clientOrderId },
      el("td", { class: "quiet time" }, el("time", { datetime: order.createTime, title: created.toString() }, when(created))),
      what,
      el("td", { class: "number filled", "data-label": "Filled" }, el("span", {}, `${grouped(order.filledQuantity)} / ${grouped(order.quantity)}`), el("progress", { max: order.quantity, value: order.filledQuantity, "aria-label": "Filled" })),
      el("td", { class: "number price", "data-label": "Limit" }, price),
      el("td", { class: "number price", "data-label": "Average" }, order.averagePrice ? shown(order.averagePrice) : "—"),
      state,
      el("td", { class: "end" }, ...this.#actions(order)));
    this.#rows.set(order.orderId, row);
    return row;
  }

  #notes(order) {
    const notes = [];
    if (WISHES[order.pendingAction]) notes.push(el("small", { class: "note" }, WISHES[order.pendingAction]));
    if (order.certainty === "UNCERTAIN") notes.push(el("small", { class: "note doubt" }, "not confirmed yet"));
    if (order.reason) notes.push(el("small", { class: "note", title: order.reason.message }, order.reason.code.replaceAll("_", " ").toLowerCase()));
    return notes;
  }

  #actions(order) {
    if (CLOSED.has(order.state)) return [];
    const name = `${order.symbol} ${order.side} ${order.quantity}`;
    const isBusy = order.pendingAction !== "NONE";
    const change = el("button", { type: "button", class: "small", "data-action": "change", disabled: isBusy || !CHANGEABLE.has(order.state), "aria-label": `Change ${name}`, on: { click: () => this.#amend.show(order) } }, "Change");
    const cancel = el("button", { type: "button", class: "small", "data-action": "cancel", disabled: order.pendingAction === "CANCEL", "aria-label": `Cancel ${name}`, on: { click: (event) => this.#cancel(order, event.target) } }, "Cancel");
    return order.type === "LIMIT" ? [change, cancel] : [cancel];
  }

  async #cancel({ orderId }, button) {
    button.disabled = true;
    try {
      const answer = await insist(this.#connection, "orders.cancel", { orderId, ...this.#orders.account });
      this.#orders.take(answer.order);
    } catch (error) {
      button.disabled = false;
      const row = this.#rows.get(orderId);
      row?.querySelector(".state").append(el("small", { class: "note doubt" }, `${error.message}. ${advice(error)}`));
      say(at("orders-say"), error.message);
    }
  }
}
