// Wiring: makes every part once and lets them know of each other.

import { Amend } from "./amend.js";
import { Chart } from "./chart.js";
import { Connection } from "./connection.js";
import { at, el, say } from "./dom.js";
import { Instruments } from "./instruments.js";
import { FrameLog } from "./log.js";
import { OrderList } from "./orderlist.js";
import { Orders } from "./orders.js";
import { Prices } from "./prices.js";
import { Search } from "./search.js";
import { SignIn } from "./signin.js";
import { Status } from "./status.js";
import { Ticket } from "./ticket.js";
import { Timeline } from "./timeline.js";
import { forget, found, keep } from "./token.js";
import { WatchList } from "./watchlist.js";

const connection = new Connection(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
new FrameLog(connection);
const prices = new Prices(connection);
const orders = new Orders(connection);
const instruments = new Instruments(connection);
const chart = new Chart({ connection, prices, instruments });
const ticket = new Ticket({ connection, prices, instruments, orders });
const watchlist = new WatchList({ prices, instruments, connection, choose });
new Search({ instruments, watched: (symbol) => watchlist.has(symbol), choose: add });
new OrderList({ orders, connection, amend: new Amend({ connection, orders }), timeline: new Timeline({ connection, orders }), choose });
const status = new Status({ connection, renew: () => signin.ask({ mayWait: true }) });
const signin = new SignIn(take);

function choose(symbol) {
  watchlist.mark(symbol);
  chart.show(symbol);
  ticket.show(symbol);
}

function add(symbol) {
  watchlist.add(symbol);
  choose(symbol);
}

async function take(token, { isRenewal = false } = {}) {
  if (isRenewal && connection.isReady) {
    await connection.renew(token);
    status.renewed();
  } else {
    connection.open(token);
  }
  keep(token);
}

let subject = "";

connection.addEventListener("ready", () => {
  signin.close();
  const { identity } = connection;
  if (subject && subject !== identity.subject) orders.forget();
  subject = identity.subject;
  say(at("who"), identity.accounts.length === 1 ? identity.accounts[0] : identity.subject);
  at("leave").hidden = false;
  const several = identity.accounts.length > 1;
  at("accounts").hidden = !several;
  if (several && at("account").dataset.subject !== subject) {
    at("account").dataset.subject = subject;
    at("account").replaceChildren(...identity.accounts.map((account) => el("option", { value: account }, account)));
    orders.follow(identity.accounts[0]);
  }
});

connection.addEventListener("state", ({ detail }) => {
  if (detail.state !== "refused") return;
  if (detail.isToken) forget();
  signin.ask({ problem: detail.words });
});

at("account").addEventListener("change", () => orders.follow(at("account").value));
at("leave").addEventListener("click", () => {
  forget();
  connection.close();
  orders.forget();
  subject = "";
  say(at("who"), "");
  at("leave").hidden = at("outcome").hidden = true;
  signin.ask();
});

choose(watchlist.first);
const token = found();
if (token) take(token);
else signin.ask();
