// What can go wrong with a question: it was refused, or its answer was lost.

/** The server answered with an error. */
export class Refused extends Error {
  constructor({ code, message, data = {} }) {
    super(message);
    this.code = code;
    this.reason = data.reason ?? "INTERNAL";
    this.outcome = data.outcome ?? "NOT_EXECUTED";
    this.retry = data.retry ?? "never";
    this.retryAfterMs = data.retryAfterMs ?? 0;
    this.details = data.details ?? {};
  }
}

/** No answer came: the connection broke, or it took too long. A change may have had its effect. */
export class Lost extends Error {
  constructor(words, { wasSent = true } = {}) {
    super(words);
    this.reason = "NO_ANSWER";
    this.outcome = wasSent ? "UNKNOWN" : "NOT_EXECUTED";
    this.retry = wasSent ? "same_key" : "after";
    this.retryAfterMs = 0;
    this.details = {};
  }
}
