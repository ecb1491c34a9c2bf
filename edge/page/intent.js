// One wish to trade has one key, from the press of the button until its outcome is known; a reload does not lose it.

const KEY = "stockmesh.intent";

/** A random UUID; crypto.randomUUID is missing where a page came over plain HTTP from another machine. */
export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Give the wish its key and keep it before anything is sent. */
export function begin(wish, subject) {
  const intent = { subject, params: { clientOrderId: uuid(), ...wish } };
  sessionStorage.setItem(KEY, JSON.stringify(intent));
  return intent;
}

/** The wish of this user whose outcome was not known when the page went away; null when there is none. */
export function unfinished(subject) {
  const intent = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  return intent?.subject === subject ? intent : null;
}

/** Its outcome is known. */
export const settle = () => sessionStorage.removeItem(KEY);
