// The account's orders: follows them from the last position seen, so that after any break nothing is missing and nothing double.

import { pauseMs } from "./pause.js";

/** Events: `changed` {order, before, event} for one order, `reset` when the list is another one, `following` {recovered}. */
export class Orders extends EventTarget {
  #connection;
  #orders = new Map();
  #position = "";
  #accountId = "";
  #behind = 0;
  #timer = 0;
  #asking = 0;
  #questions = 0;

  constructor(connection) {
    super();
    this.#connection = connection;
    connection.addEventListener("ready", () => this.#follow());
    connection.addEventListener("orders.update", ({ detail }) => this.#update(detail));
    connection.addEventListener("orders.snapshot", ({ detail }) => this.#snapshot(detail));
    connection.addEventListener("session.heartbeat", ({ detail }) => this.#compare(detail.position));
  }

  /** Newest first. */
  get list() {
    return [...this.#orders.values()].sort((one, other) => (one.createTime < other.createTime ? 1 : one.createTime > other.createTime ? -1 : 0));
  }

  get(orderId) {
    return this.#orders.get(orderId);
  }

  /** Parameters that name the account; empty when the token speaks for one only. */
  get account() {
    return this.#accountId ? { accountId: this.#accountId } : {};
  }

  /** Follow another account. */
  follow(accountId) {
    this.#accountId = accountId;
    this.forget();
    this.#follow();
  }

  forget() {
    this.#orders.clear();
    this.#position = "";
    this.dispatchEvent(new Event("reset"));
  }

  /** Take an order that an answer told. */
  take(order, event = null) {
    const before = this.#orders.get(order.orderId);
    if (!this.#keep(order)) return;
    this.dispatchEvent(new CustomEvent("changed", { detail: { order, before, event } }));
  }

  async #follow(tries = 0) {
    clearTimeout(this.#timer);
    if (!this.#connection.isReady) return;
    const number = (this.#asking = ++this.#questions);
    try {
      const from = this.#position ? { from: this.#position } : {};
      const { recovered, position } = await this.#connection.ask("orders.subscribe", { ...from, ...this.account });
      if (number !== this.#asking) return;
      if (!recovered) this.#orders.clear();
      this.#position = position;
      this.#behind = 0;
      this.#asking = 0;
      this.dispatchEvent(new CustomEvent("following", { detail: { recovered } }));
    } catch (error) {
      // After a lost connection "ready" asks again.
      if (number !== this.#asking || !this.#connection.isReady || error.retry === "never") return;
      this.#timer = setTimeout(() => this.#follow(tries + 1), Math.max(error.retryAfterMs, pauseMs(tries)));
    }
  }

  async #snapshot({ orders, changedSince, nextPageToken }) {
    orders.forEach((order) => this.#keep(order));
    this.dispatchEvent(new Event("reset"));
    for (let pageToken = nextPageToken; pageToken; ) {
      const page = await this.#connection.ask("orders.list", { changedSince, pageToken, ...this.account }).catch(() => ({ orders: [] }));
      page.orders.forEach((order) => this.take(order));
      pageToken = page.nextPageToken;
    }
  }

  #update({ position, previous, event, order }) {
    // A gap: what is missing comes again, and this update with it.
    if (previous !== this.#position) {
      if (!this.#asking) this.#follow();
      return;
    }
    this.#position = position;
    this.take(order, event);
  }

  /** Keep an order unless a newer version of it is known. Returns whether it was kept. */
  #keep(order) {
    const known = this.#orders.get(order.orderId);
    if (known && BigInt(known.revision) > BigInt(order.revision)) return false;
    this.#orders.set(order.orderId, order);
    return true;
  }

  /** A heartbeat that twice shows a later position than ours means that an update got lost. */
  #compare(position) {
    this.#behind = position && position !== this.#position ? this.#behind + 1 : 0;
    if (this.#behind >= 2 && !this.#asking) this.#follow();
  }
}
