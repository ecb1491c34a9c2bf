// Pauses between tries: they grow, and chance spreads the clients of a server that went away.

const FIRST_MS = 500;
const LONGEST_MS = 15_000;

/** Milliseconds before the try of this number (from 0): full jitter. */
export function pauseMs(tries, chance = Math.random()) {
  return Math.round(chance * Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(tries, 10)));
}

/** A promise that is kept after so many milliseconds. */
export const rest = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
