import type { EventName, Events } from '../../server/protocol/events.js';

export type Fired = { [E in EventName]: { readonly event: E; readonly payload: Events[E] } }[EventName];

/** What a server said unasked. */
export class Heard {
  readonly events: Fired[] = [];
  readonly #waiting = new Set<(fired: Fired) => void>();

  add(fired: Fired): void {
    this.events.push(fired);
    for (const told of this.#waiting) told(fired);
  }

  /** The first event, past or future, that `matches`. */
  async first(matches: (fired: Fired) => boolean): Promise<Fired> {
    const known = this.events.find(matches);
    if (known) return known;
    return new Promise((resolve) => {
      const told = (fired: Fired) => {
        if (!matches(fired)) return;
        this.#waiting.delete(told);
        resolve(fired);
      };
      this.#waiting.add(told);
    });
  }
}
