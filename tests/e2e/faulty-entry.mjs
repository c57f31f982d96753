// The Worker with a Durable Object that fails when a test says so.
import Entry, { Stats as Real } from '../../src/entry.js';

export * from '../../src/entry.js';
export default Entry;

export class Stats extends Real {
  #faults = 0;

  /** Fails the next times that it is asked to record. */
  fail(times) {
    this.#faults = times;
    return true;
  }

  async record(batch) {
    if (this.#faults === 0) return super.record(batch);
    this.#faults -= 1;
    throw new Error('the object fails, as it was told to');
  }
}
