// Times as a person reads them, in the browser's zone, and how old something is.

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const SHORT = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const MONTH_DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const MONTH = new Intl.DateTimeFormat(undefined, { month: "short", year: "numeric" });

export const clock = (time) => CLOCK.format(time);

/** Time of day, with milliseconds. */
export function precise(time) {
  return `${CLOCK.format(time)}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

/** Time of day; for another day than today its date, too. */
export function when(time) {
  return time.toDateString() === new Date().toDateString() ? CLOCK.format(time) : `${DAY.format(time)} ${SHORT.format(time)}`;
}

/** When a bar began: its day, its time of day, or both, by how long a bar is and whether that was today. */
export function began(time, apart) {
  if (apart >= 86_400) return MONTH_DAY.format(time);
  return time.toDateString() === new Date().toDateString() ? SHORT.format(time) : `${DAY.format(time)} ${SHORT.format(time)}`;
}

/** Words for a mark on the time axis, when marks are so many seconds apart. */
export function mark(time, apart) {
  if (apart < 60) return CLOCK.format(time);
  if (apart >= 28 * 86_400) return MONTH.format(time);
  if (apart >= 86_400 || (time.getHours() === 0 && time.getMinutes() === 0)) return DAY.format(time);
  return SHORT.format(time);
}

/** How old, in one short word: "now", "12s", "3m", "2h", "5d". */
export function age(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 2) return "now";
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
