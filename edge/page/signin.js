// Asks for a token: at the beginning, when the server refuses the one we have, and before it ends.

import { at, say, sayOrHide } from "./dom.js";

export class SignIn {
  #take;
  #mayWait = false;

  /** `take(token, {isNew})` uses a token; what it raises is shown. */
  constructor(take) {
    this.#take = take;
    at("signin-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#give();
    });
    at("signin-later").addEventListener("click", () => at("signin").close());
    at("signin").addEventListener("cancel", (event) => this.#mayWait || event.preventDefault());
  }

  /** Ask, and say why. With `mayWait` the dialog can be left. */
  ask({ problem = "", mayWait = false } = {}) {
    this.#mayWait = mayWait;
    say(at("signin-title"), mayWait ? "Go on with a new token" : "Connect");
    at("signin-later").hidden = !mayWait;
    sayOrHide(at("signin-problem"), problem);
    at("token").value = "";
    if (!at("signin").open) at("signin").showModal();
    at("token").focus();
  }

  close() {
    if (at("signin").open) at("signin").close();
  }

  async #give() {
    const token = at("token").value.replaceAll(/\s/g, "").replace(/^Bearer/i, "");
    if (!token) return;
    try {
      await this.#take(token, { isRenewal: this.#mayWait });
      this.close();
    } catch (error) {
      sayOrHide(at("signin-problem"), error.message);
    }
  }
}
