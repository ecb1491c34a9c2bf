// Search with suggestions: a combobox whose list follows what is typed.

import { at, el } from "./dom.js";

const PAUSE_MS = 120;

export class Search {
  #instruments;
  #choose;
  #watched;
  #timer = 0;
  #asked = 0;
  #active = -1;

  constructor({ instruments, choose, watched }) {
    [this.#instruments, this.#choose, this.#watched] = [instruments, choose, watched];
    const field = at("query");
    field.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#look(field.value.trim()), PAUSE_MS);
    });
    field.addEventListener("keydown", (event) => this.#key(event));
    field.addEventListener("blur", () => this.#close());
    field.addEventListener("focus", () => field.value.trim() && this.#look(field.value.trim()));
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !event.target.closest("input, select, textarea, dialog")) {
        event.preventDefault();
        field.focus();
      }
    });
  }

  async #look(query) {
    const number = ++this.#asked;
    if (!query) return this.#close();
    const found = await this.#instruments.search(query).catch((error) => error);
    if (number !== this.#asked || document.activeElement !== at("query")) return;
    this.#list(Array.isArray(found) ? found : [], Array.isArray(found) ? `Nothing fits “${query}”.` : found.message);
  }

  #list(instruments, otherwise) {
    const list = at("found");
    list.replaceChildren(...instruments.map((instrument, index) => this.#option(instrument, index)));
    if (!instruments.length) list.append(el("li", { class: "empty", role: "option", "aria-disabled": "true" }, otherwise));
    list.hidden = false;
    at("query").setAttribute("aria-expanded", "true");
    this.#move(instruments.length ? 0 : -1);
  }

  #option(instrument, index) {
    const { symbol, name, exchange, currency } = instrument;
    const note = this.#watched(symbol) ? "watched" : "";
    // The field would lose its focus, and with it the list, before the click arrives.
    const on = { mousedown: (event) => event.preventDefault(), click: () => this.#take(symbol) };
    const words = [el("b", {}, symbol), el("span", {}, name), el("small", { class: "quiet" }, [note, exchange, currency].filter(Boolean).join(" · "))];
    return el("li", { role: "option", id: `found-${index}`, "data-symbol": symbol, "aria-selected": "false", on }, ...words);
  }

  #key(event) {
    const options = at("found").querySelectorAll("[data-symbol]");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") this.#close();
    if (step && options.length) {
      event.preventDefault();
      this.#move((this.#active + step + options.length) % options.length);
    }
    if (event.key === "Enter" && !at("found").hidden && options[this.#active]) {
      event.preventDefault();
      this.#take(options[this.#active].dataset.symbol);
    }
  }

  #move(index) {
    this.#active = index;
    at("found").querySelectorAll("[data-symbol]").forEach((option, place) => option.setAttribute("aria-selected", String(place === index)));
    if (index < 0) at("query").removeAttribute("aria-activedescendant");
    else at("query").setAttribute("aria-activedescendant", `found-${index}`);
  }

  #take(symbol) {
    at("query").value = "";
    this.#close();
    this.#choose(symbol);
  }

  #close() {
    this.#asked++;
    at("found").hidden = true;
    at("query").setAttribute("aria-expanded", "false");
    this.#move(-1);
  }
}
