// What to do about a refusal, in words; the server's own message says what is wrong.

import { shown } from "./money.js";

const ADVICE = {
  PRICE_OUTSIDE_COLLAR: ({ limit }) => (limit ? `Choose ${shown(limit)} or a price nearer to the last one, or trade at the market.` : "Choose a limit price nearer to the last price."),
  PRICE_STALE: () => "There is no live price to measure the order by. Wait until the symbol is LIVE again.",
  PRICE_OFF_TICK: ({ limit }) => (limit ? `Prices of this symbol move in steps of ${limit}.` : "Choose a price on the symbol's price step."),
  INVALID_PRICE: () => "Write the price as a number above zero, like 190.12.",
  INVALID_MONEY: () => "Write the price as a number with at most 6 decimals, like 190.12.",
  LIMIT_PRICE_REQUIRED: () => "Enter a limit price, or choose Market.",
  QUANTITY_OFF_LOT: ({ limit }) => (limit ? `Order a multiple of ${limit} shares.` : "Order a multiple of the lot size."),
  QUANTITY_TOO_LARGE: ({ limit }) => (limit ? `Order at most ${limit} shares at once.` : "Order fewer shares at once."),
  NOTIONAL_TOO_LARGE: ({ limit }) => (limit ? `Keep quantity times price below ${shown(limit)}.` : "Order fewer shares at once."),
  UNKNOWN_SYMBOL: () => "Choose a symbol from the search.",
  SYMBOL_NOT_TRADABLE: () => "This symbol takes no orders. Choose another one.",
  SYMBOL_HALTED: () => "The exchange has halted this symbol. Try again when it is LIVE.",
  MARKET_CLOSED: () => "The exchange is closed. Try again when it opens.",
  TRADING_HALTED: () => "Operators have stopped new orders. Cancels still work.",
  TRADING_REDUCING: () => "Only sells and cancels are taken now.",
  DUPLICATE_BURST: () => "The same order was placed a moment ago. Look at the list before you send it again.",
  ORDER_RATE_EXCEEDED: () => "Too many orders at once. Try again in a moment.",
  SUBMIT_BY_PASSED: () => "It could not be sent in time and was not. Send it anew if you still want it.",
  IDEMPOTENCY_MISMATCH: () => "This key stands for another order. Send it anew.",
  ORDER_CLOSED: () => "The order has ended already.",
  ORDER_NOT_FOUND: () => "There is no such order in this account.",
  ACTION_PENDING: () => "An earlier cancel or change is not decided yet. Wait for it.",
  NOTHING_TO_REPLACE: () => "The order is like this already.",
  SCOPE_MISSING: () => "This token may only read. Sign in with one that has the scope “trade”.",
  ACCOUNT_REQUIRED: () => "Choose an account above.",
  ACCOUNT_FORBIDDEN: () => "This token does not speak for that account.",
};

/** One sentence on what to do about an error; "" when the message says enough. */
export function advice(error) {
  const known = ADVICE[error.reason];
  if (known) return known(error.details);
  if (error.outcome === "UNKNOWN") return "It may or may not have had its effect; the order list shows the truth.";
  if (error.retry === "after") return "Nothing was sent. Try again in a moment.";
  return "";
}
