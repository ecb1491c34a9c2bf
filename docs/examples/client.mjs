// A native app or web page in plain JavaScript: live prices, one order that is never doubled, its updates without a gap.
//
//   STOCKMESH_URL=ws://127.0.0.1:8080/ws STOCKMESH_TOKEN=$(stockmesh token --account demo) node docs/examples/client.mjs
//
// Node 22 or newer, or any browser (import { Client } from "./client.mjs"): both have WebSocket. The protocol is docs/protocol.md.

// How long to wait for an answer, in milliseconds: the table of docs/protocol.md, here for what is used below.
const DEADLINES = { "session.authenticate": 5000, "prices.subscribe": 6000, "orders.subscribe": 10000, "orders.place": 6000 };
// No heartbeat for so long: the connection is dead, whatever it says.
const SILENCE = 20_000;
const FIRST_PAUSE = 250, LONGEST_PAUSE = 15_000;

/** The server answered with an error: `reason`, `outcome` and `retry` are its own. */
export class Refused extends Error {
  constructor({ message, data = {} }) {
    super(message);
    Object.assign(this, { reason: "INTERNAL", outcome: "UNKNOWN", retry: "never", retryAfterMs: 0 }, data);
  }
}

/** No answer came: the request may have had its effect. Ask again with the same key. */
export class Lost extends Error {}

const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));

/** Wait for a promise, or give up after so many milliseconds. */
async function within(ms, promise) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Lost("no connection in time")), ms)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** One connection that heals itself. `on(method, params)` gets every notification; `token()` gives a fresh token each time. */
export class Client {
  #url; #token; #on; #socket = null; #live; #goLive; #isLive = true; #closed = false;
  #failures = 0; #pauseAtLeast = 0; #nextId = 1; #waiting = new Map(); #watchdog;
  // What is asked for again after each connection, and the last position of the order updates.
  #prices = new Map(); #position = null; #flowing = false;

  constructor(url, token, on) {
    [this.#url, this.#token, this.#on] = [url, token, on];
    this.#awaitSession();
    this.#connect();
  }

  /** Watch symbols from now on, over every connection to come. Answers { subscriptions, quotes, refused }. */
  async watch(symbols, { mode = "QUOTE", maxHz = 0 } = {}) {
    const want = { mode, maxHz };
    for (const symbol of symbols) this.#prices.set(symbol, want);
    return this.#insist(() => this.request("prices.subscribe", { symbols, ...want }));
  }

  /** Follow the account's orders; over a loss the stream goes on where it was, a snapshot comes where it cannot. */
  async followOrders(from = "") {
    this.#position = from;
    await this.#insist(() => this.#subscribeOrders());
  }

  /** Place an order: the same key is asked for again until the truth is known or the time is over. */
  async place(order, { seconds = 30 } = {}) {
    const wish = { clientOrderId: crypto.randomUUID(), ...order };
    const until = Date.now() + seconds * 1000;
    for (let failures = 0; ; failures++) {
      let pause = Math.random() * Math.min(2000, FIRST_PAUSE * 2 ** failures);
      try {
        await within(until - Date.now(), this.#live);
        return await this.request("orders.place", wish);
      } catch (error) {
        const again = error instanceof Lost || (error instanceof Refused && error.retry !== "never");
        if (error.retryAfterMs) pause += error.retryAfterMs;
        if (!again || Date.now() + pause > until) throw Object.assign(error, { clientOrderId: wish.clientOrderId });
      }
      await sleep(pause);
    }
  }

  /** One request, one answer. Throws Refused or Lost. */
  request(method, params) {
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) return reject(new Lost("not connected"));
      const id = this.#nextId++;
      const timer = setTimeout(() => this.#settle(id, { lost: `no answer to ${method}` }), DEADLINES[method] ?? 5000);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ jsonrpc: "2.0", method, params, id }));
    });
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#watchdog);
    this.#socket?.close(1000);
  }

  // What may be asked twice is asked until it is answered.
  async #insist(ask) {
    for (;;) {
      await this.#live;
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof Lost) || this.#closed) throw error;
        await sleep(Math.random() * FIRST_PAUSE);
      }
    }
  }

  #awaitSession() {
    // Whoever waits already goes on waiting for the same promise.
    if (!this.#isLive) return;
    this.#isLive = false;
    this.#live = new Promise((resolve) => (this.#goLive = () => ((this.#isLive = true), resolve())));
  }

  async #connect() {
    const socket = (this.#socket = new WebSocket(this.#url));
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    // A failed handshake is an error, and in some versions of Node no close.
    let over = false;
    const end = (code) => over || ((over = true), this.#lost(code));
    socket.onclose = ({ code }) => end(code);
    socket.onerror = () => end(1006);
    socket.onopen = async () => {
      try {
        await this.request("session.authenticate", { token: await this.#token() });
        this.#goLive();
        await this.#resume();
        this.#failures = 0;
      } catch (error) {
        if (error instanceof Refused && error.retry === "never") this.#closed = true;
        socket.close();
      }
    };
  }

  async #resume() {
    const groups = new Map();
    for (const [symbol, want] of this.#prices) groups.set(want, [...(groups.get(want) ?? []), symbol]);
    for (const [want, symbols] of groups) await this.request("prices.subscribe", { symbols, ...want });
    if (this.#position !== null) await this.#subscribeOrders();
  }

  async #subscribeOrders() {
    this.#flowing = false;
    const { position } = await this.request("orders.subscribe", this.#position ? { from: this.#position } : {});
    this.#position ||= position;
    this.#flowing = true;
  }

  #take(message) {
    if (this.#closed) return;
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#socket.close(), SILENCE);
    if (message.id !== undefined) return this.#settle(message.id, message);
    const { method, params } = message;
    if (method === "session.shutdown") this.#pauseAtLeast = params.reconnectAfterMs;
    if (method === "session.expiring") Promise.resolve(this.#token()).then((token) =>
      this.request("session.authenticate", { token })).catch(() => {});
    if (method === "orders.update" || method === "orders.snapshot") {
      // What comes before the answer to a subscription is told again after it.
      if (!this.#flowing) return;
      const gap = method === "orders.update" && params.previous && params.previous !== this.#position;
      if (gap) return void this.#subscribeOrders().catch(() => this.#socket.close());
      this.#position = params.position;
    }
    this.#on(method, params);
  }

  #settle(id, { result, error, lost }) {
    const asked = this.#waiting.get(id);
    if (!asked) return;
    this.#waiting.delete(id);
    clearTimeout(asked.timer);
    if (lost) asked.reject(new Lost(lost));
    else if (error) asked.reject(new Refused(error));
    else asked.resolve(result);
  }

  async #lost(code) {
    clearTimeout(this.#watchdog);
    this.#flowing = false;
    for (const id of [...this.#waiting.keys()]) this.#settle(id, { lost: `the connection was lost (code ${code})` });
    // From 4500 on, the same again would end the same way.
    if (this.#closed || (code >= 4500 && code < 5000)) return this.#on("closed", { code });
    this.#awaitSession();
    const pause = this.#pauseAtLeast + Math.random() * Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#failures++);
    this.#pauseAtLeast = 0;
    this.#on("reconnecting", { code, pause });
    await sleep(pause);
    if (!this.#closed) this.#connect();
  }
}

// Run by Node itself: prices, then an order to its end.
if (globalThis.process?.argv[1]?.endsWith("client.mjs")) {
  const { STOCKMESH_URL = "ws://127.0.0.1:8080/ws", STOCKMESH_TOKEN } = process.env;
  let ended;
  const end = new Promise((resolve) => (ended = resolve));
  let mine = null;
  const seen = new Map();
  const client = new Client(STOCKMESH_URL, () => STOCKMESH_TOKEN, (method, params) => {
    if (method === "prices.update") for (const quote of params.quotes) console.log(quote.symbol, quote.price, quote.state);
    if (method === "orders.update") seen.set(params.order.orderId, params.order);
    if (method === "closed") ended(1);
    const order = mine && seen.get(mine);
    if (method === "orders.update" && order) console.log(order.state, order.filledQuantity, "of", order.quantity);
    if (["FILLED", "CANCELED", "REJECTED", "EXPIRED"].includes(order?.state)) ended(0);
  });
  const { quotes } = await client.watch(["AAPL", "MSFT"], { mode: "LTP", maxHz: 5 });
  for (const quote of quotes) console.log(quote.symbol, quote.price, quote.state);
  // Listening comes first, so that no update is missed.
  await client.followOrders();
  const placed = await client.place({ symbol: "AAPL", side: "BUY", type: "MARKET", quantity: 10 });
  mine = placed.order.orderId;
  console.log("stored as", mine);
  if (seen.get(mine)?.state === "FILLED") ended(0);
  process.exitCode = await end;
  client.close();
}
