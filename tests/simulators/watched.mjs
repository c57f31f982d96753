// What a test can wait for: a simulator that says when something has changed.
export class Watched {
  #listeners = new Set();
  /** How long a wait may last. */
  patience_ms = 20_000;

  /** Settles once `condition` holds; it is tried again at every event of the simulator. */
  until(condition, { within = this.patience_ms, what = condition.toString() } = {}) {
    return new Promise((done, failed) => {
      const timer = setTimeout(() => {
        this.#listeners.delete(check);
        failed(new Error(`the simulator waited ${within} ms in vain for: ${what}`));
      }, within);
      const check = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.#listeners.delete(check);
        done();
      };
      this.#listeners.add(check);
      check();
    });
  }

  changed() {
    for (const check of [...this.#listeners]) check();
  }
}
