// One symbol's quote: which of two is newer, and what it says to a person.

import { change } from "./money.js";

/** Whether `next` may replace `known`: its version (epoch, seq) never goes back, an equal one may tell another state. */
export function isNewer(next, known) {
  if (!known) return true;
  const [epoch, before] = [BigInt(next.epoch ?? 0), BigInt(known.epoch ?? 0)];
  if (epoch !== before) return epoch > before;
  return BigInt(next.seq ?? 0) >= BigInt(known.seq ?? 0);
}

/** The change since the day before; null when unknown. */
export const dayChange = (quote) => change(quote.price, quote.previousClose);

/** Milliseconds since the exchange made the quote; null when it never did. */
export function ageMs(quote, now) {
  return quote.quoteTime ? now - Date.parse(quote.quoteTime) : null;
}
