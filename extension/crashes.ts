const WINDOW_MS = 3 * 60_000;
const LIMIT = 5;

/** Decides whether a server that crashed is worth starting again: not after 5 crashes within 3 minutes. */
export class Crashes {
  readonly #times: number[] = [];

  /** Notes a crash at `now` (milliseconds); true when the server may start again. */
  record(now: number): boolean {
    this.#times.push(now);
    while (this.#times[0] !== undefined && now - this.#times[0] > WINDOW_MS) this.#times.shift();
    return this.#times.length < LIMIT;
  }

  forget(): void {
    this.#times.length = 0;
  }
}
