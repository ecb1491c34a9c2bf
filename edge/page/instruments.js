// Instruments by symbol: name, currency, steps. Each is asked for once.

export class Instruments {
  #connection;
  #known = new Map();

  constructor(connection) {
    this.#connection = connection;
  }

  /** What fits the words best first. Raises Refused and Lost. */
  async search(query, pageSize = 8) {
    const { instruments } = await this.#connection.ask("instruments.search", { query, pageSize });
    instruments.forEach((instrument) => this.#known.set(instrument.symbol, instrument));
    return instruments;
  }

  known(symbol) {
    return this.#known.get(symbol) ?? null;
  }

  /** The instrument of this symbol; null when there is none or nobody answers. */
  async find(symbol) {
    if (!this.#known.has(symbol) && this.#connection.isReady) await this.search(symbol, 3).catch(() => []);
    return this.known(symbol);
  }
}
