// Builds and finds elements. Text goes in as text, so nothing that was heard can become markup.

export const at = (id) => document.getElementById(id);

/** Make an element: attributes by name (`on` holds listeners, `class` the class, true means present), then children or text. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined && value !== null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Say a text, and touch the page only when it changed. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Say a text in an element that is there only when it has something to say. */
export function sayOrHide(element, text) {
  say(element, text ?? "");
  element.hidden = !text;
}

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** Let an element shine up once in one of the colours of look.css; not for those who want no motion. */
export function flash(element, colour) {
  if (calm.matches || document.hidden) return;
  for (const running of element.getAnimations()) running.cancel();
  element.animate([{ backgroundColor: `var(--${colour}-soft)` }, { backgroundColor: "transparent" }], {
    duration: 700,
    easing: "ease-out",
  });
}

/** Which of a fieldset's radio buttons is on. */
export const chosen = (fieldset) => fieldset.querySelector("input:checked").value;
