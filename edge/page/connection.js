// The socket: signs in, matches answers to questions, hears signs of life, and comes back after every end that allows it.

import { Lost, Refused } from "./failure.js";
import { pauseMs } from "./pause.js";

const ANSWER_MS = 8_000;
const SILENCE_MS = 20_000;
const STEADY_MS = 10_000;
const TOKEN_REASON = /^(TOKEN_|UNAUTHENTICATED$)/;
const BROKEN = 1006;
const TOKEN_EXPIRED = 4401;
const NEVER_AGAIN_FROM = 4500;
const OURS_TO = 5000;

/**
 * Events: `state` {state, words, at}, `ready` (signed in), `frame` {sent, text}, and every notification by its method.
 * States: off, connecting, ready, waiting (until `at`), refused (a new token is needed, or nothing helps).
 */
export class Connection extends EventTarget {
  #url;
  #token = "";
  #socket = null;
  #asked = new Map();
  #lastId = 0;
  #tries = 0;
  #timer = 0;
  #heardAt = 0;
  #readyAt = 0;
  #shutdownMs = null;
  #ahead = 0;
  state = "off";
  identity = null;

  constructor(url) {
    super();
    this.#url = url;
    setInterval(() => this.#watch(), 1_000);
    addEventListener("online", () => this.state === "waiting" && this.#connect());
  }

  get isReady() {
    return this.state === "ready";
  }

  /** What the server's clock says, in milliseconds since 1970. */
  get now() {
    return Date.now() + this.#ahead;
  }

  open(token) {
    this.#token = token;
    this.#tries = 0;
    this.#connect();
  }

  close() {
    this.#token = "";
    this.#drop("closed");
    this.#tell("off", "Offline");
  }

  retryNow() {
    if (this.state === "waiting") this.#connect();
  }

  /** Go on with a new token of the same user. Raises Refused. */
  async renew(token) {
    this.identity = await this.ask("session.authenticate", { token });
    this.#token = token;
  }

  /** Kept as soon as questions can be asked. */
  ready() {
    if (this.isReady) return Promise.resolve();
    return new Promise((done) => this.addEventListener("ready", done, { once: true }));
  }

  /** The result of a method. Raises Refused, or Lost when no answer came. */
  ask(method, params = {}) {
    const socket = this.#socket;
    if (!socket || socket.readyState !== WebSocket.OPEN) {
      return Promise.reject(new Lost("there is no connection", { wasSent: false }));
    }
    const id = ++this.#lastId;
    const text = JSON.stringify({ jsonrpc: "2.0", method, params, id });
    return new Promise((done, fail) => {
      const timer = setTimeout(() => {
        this.#asked.delete(id);
        fail(new Lost("no answer in time"));
      }, ANSWER_MS);
      this.#asked.set(id, { done, fail, timer });
      socket.send(text);
      this.#log(true, method === "session.authenticate" ? text.replace(/"token":"[^"]*"/, '"token":"…"') : text);
    });
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#drop("connecting anew");
    this.#shutdownMs = null;
    this.#heardAt = Date.now();
    this.#tell("connecting", "Connecting");
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => this.#signIn(socket);
    socket.onmessage = (event) => this.#hear(event.data);
    socket.onclose = (event) => socket === this.#socket && this.#closed(event.code, event.reason);
  }

  async #signIn(socket) {
    try {
      this.identity = await this.ask("session.authenticate", { token: this.#token });
      const asked = Date.now();
      const { time } = await this.ask("ping");
      this.#ahead = Date.parse(time) - (asked + Date.now()) / 2;
    } catch (error) {
      if (socket !== this.#socket) return;
      if (TOKEN_REASON.test(error.reason)) this.#refuse(error.message, true);
      else socket.close();
      return;
    }
    if (socket !== this.#socket) return;
    this.#readyAt = Date.now();
    this.#tell("ready", "Live");
    this.dispatchEvent(new Event("ready"));
  }

  #hear(text) {
    this.#heardAt = Date.now();
    this.#log(false, text);
    const frame = JSON.parse(text);
    if (frame.method) {
      if (frame.method === "session.shutdown") this.#shutdownMs = frame.params.reconnectAfterMs;
      this.dispatchEvent(new CustomEvent(frame.method, { detail: frame.params }));
      return;
    }
    const waiting = this.#asked.get(frame.id);
    if (!waiting) return;
    this.#asked.delete(frame.id);
    clearTimeout(waiting.timer);
    if (frame.error) waiting.fail(new Refused(frame.error));
    else waiting.done(frame.result);
  }

  #closed(code, words) {
    this.#drop(words || (code === BROKEN ? "the connection broke" : `the server closed the connection (${code})`));
    if (code === TOKEN_EXPIRED) return this.#refuse("The token has expired.", true);
    if (code >= NEVER_AGAIN_FROM && code < OURS_TO) return this.#refuse(words || `Closed with ${code}.`, false);
    if (this.#readyAt && Date.now() - this.#readyAt > STEADY_MS) this.#tries = 0;
    this.#readyAt = 0;
    const pause = (this.#shutdownMs ?? 0) + pauseMs(this.#tries++);
    this.#tell("waiting", "Reconnecting", Date.now() + pause);
    this.#timer = setTimeout(() => this.#connect(), pause);
  }

  #refuse(words, isToken) {
    this.#drop(words);
    this.#tell("refused", words, null, isToken);
  }

  /** Let the socket go; whoever waits for an answer learns that it is lost. */
  #drop(words) {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    if (socket && socket.readyState <= WebSocket.OPEN) socket.close();
    for (const { fail, timer } of this.#asked.values()) {
      clearTimeout(timer);
      fail(new Lost(words));
    }
    this.#asked.clear();
  }

  #watch() {
    const isAlive = this.#socket !== null;
    if (isAlive && Date.now() - this.#heardAt > SILENCE_MS) this.#closed(BROKEN, "nothing was heard for long");
  }

  #tell(state, words, at = null, isToken = false) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, words, at, isToken } }));
  }

  #log(sent, text) {
    this.dispatchEvent(new CustomEvent("frame", { detail: { sent, text } }));
  }
}
