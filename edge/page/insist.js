// Asks until the outcome is known. Only for questions that are safe to repeat: the same key, the same words.

import { Lost } from "./failure.js";
import { pauseMs, rest } from "./pause.js";

/**
 * The result of a method that changes something, asked again after every answer that leaves its outcome open.
 *
 * Raises Refused as soon as the refusal is certain. `onWait(error, tries)` hears of each try that failed; `signal` ends the asking
 * and raises the last failure. `isOpen` says that an earlier try is in doubt already,
 * `isStill` tells after each reconnect whether the question may still be asked; Lost when not.
 */
export async function insist(connection, method, params, { onWait = () => {}, signal = undefined, isOpen = false, isStill = () => true } = {}) {
  const stopped = new Promise((done) => signal?.addEventListener("abort", done, { once: true }));
  for (let tries = 0; ; tries++) {
    if (isOpen) await Promise.race([connection.ready(), stopped]);
    if (isOpen && !isStill()) throw new Lost("somebody else signed in");
    try {
      return await connection.ask(method, params);
    } catch (error) {
      isOpen ||= error.outcome === "UNKNOWN";
      // Once a try is in doubt, that a later one could not be served says nothing about it.
      const isCertain = error.retry === "never" || (!isOpen && error.outcome === "NOT_EXECUTED");
      if (isCertain || signal?.aborted) throw Object.assign(error, { tries });
      onWait(error, tries);
      await Promise.race([rest(Math.max(error.retryAfterMs, pauseMs(tries))), stopped]);
      if (signal?.aborted) throw Object.assign(error, { tries });
    }
  }
}
