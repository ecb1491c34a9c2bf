// Money: decimal text outside, BigInt micros inside. No number with a fraction is ever calculated with.

const DIGITS = 6;
const SHAPE = /^(-?)(\d{1,12})(?:\.(\d{1,6}))?$/;

/** Millionths of a decimal text; null when it is none. */
export function micros(text) {
  const found = SHAPE.exec(text ?? "");
  if (!found) return null;
  const [, sign, whole, part = ""] = found;
  const value = BigInt(whole) * 1_000_000n + BigInt(part.padEnd(DIGITS, "0"));
  return sign ? -value : value;
}

/** Decimal text of millionths, with at least so many decimals. */
export function decimal(value, fewest = 2) {
  const sign = value < 0n ? "-" : "";
  const digits = (value < 0n ? -value : value).toString().padStart(DIGITS + 1, "0");
  const part = digits.slice(-DIGITS).replace(/0+$/, "").padEnd(fewest, "0");
  return `${sign}${digits.slice(0, -DIGITS)}${part ? `.${part}` : ""}`;
}

/** A decimal text for a person: thousands apart, at least two decimals; a dash when there is none. */
export function shown(text, fewest = 2) {
  const value = micros(text);
  if (value === null) return "—";
  const [whole, part] = decimal(value, fewest).split(".");
  return `${grouped(whole)}${part ? `.${part}` : ""}`;
}

/** A whole number as text, thousands apart. */
export function grouped(whole) {
  return String(whole).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** How far a price is from another, in percent with two decimals: {text: "+1.25 %", sign: 1}; null when one is unknown. */
export function change(price, from) {
  const [now, before] = [micros(price), micros(from)];
  if (now === null || !before) return null;
  const difference = now - before;
  const size = difference < 0n ? -difference : difference;
  const hundredths = (size * 20_000n + before) / (before * 2n);
  const sign = hundredths === 0n ? 0 : difference < 0n ? -1 : 1;
  const digits = hundredths.toString().padStart(3, "0");
  return { text: `${sign < 0 ? "−" : sign > 0 ? "+" : ""}${digits.slice(0, -2)}.${digits.slice(-2)} %`, sign };
}

/** The decimal text so many steps up or down, on the grid of the step; the text itself when it is no price. */
export function stepped(text, step, count) {
  const [value, size] = [micros(text), micros(step)];
  if (value === null || !size) return text;
  const moved = (value / size + BigInt(count)) * size;
  return decimal(moved > 0n ? moved : size);
}

/** For drawing only: where a price lies on a picture. */
export const drawn = (text) => (text === "" || text === undefined ? null : Number(text));
