// What the ticket's form asks for: read into an order, checked for its shape only. The server decides about the rest.

import { grouped, micros } from "./money.js";

const WHOLE = /^[1-9]\d{0,11}$/;
// An order that is asked for again after a broken connection must not reach the exchange when nobody waits for it any more.
const SEND_WITHIN_MS = 30_000;

/** The order in the form, as `orders.place` takes it but for its key and times. */
export function read(form, symbol) {
  const fields = new FormData(form);
  const wish = {
    symbol,
    side: fields.get("side"),
    type: fields.get("type"),
    quantity: fields.get("quantity").replaceAll(/[\s,]/g, ""),
    timeInForce: fields.get("timeInForce"),
  };
  return wish.type === "LIMIT" ? { ...wish, limitPrice: fields.get("limitPrice").trim() } : wish;
}

/** What is missing before the server can be asked: {field, words}; null when nothing is. */
export function missing(wish) {
  if (!wish.symbol) return { field: "symbol", words: "Choose a symbol." };
  if (!WHOLE.test(wish.quantity)) return { field: "quantity", words: "Enter a whole number of shares, at least 1." };
  if (wish.type === "LIMIT" && !wish.limitPrice) return { field: "limitPrice", words: "Enter a limit price." };
  if (wish.type === "LIMIT" && micros(wish.limitPrice) === null) return { field: "limitPrice", words: "Write the price like 190.12." };
  return null;
}

/** The same with the time until which it may be sent, by the server's clock. */
export const dated = (wish, now) => ({ ...wish, submitBy: new Date(now + SEND_WITHIN_MS).toISOString() });

/** One line that says it: "Buy 10 AAPL at 190.12". */
export function words({ side, quantity, symbol, type, limitPrice }) {
  const number = WHOLE.test(quantity) ? grouped(quantity) : "";
  return [side === "BUY" ? "Buy" : "Sell", number, symbol, type === "LIMIT" ? (limitPrice ? `at ${limitPrice}` : "at a limit") : "at market"].filter(Boolean).join(" ");
}
