/** Longest-prefix lookup over sequences of small integers: bytes, or UTF-16 units. */
export class Trie {
  /** (node, unit) → node, in one map: a quarter of a million nodes stay cheap. */
  readonly #next = new Map<number, number>();
  readonly #values: (number | undefined)[] = [undefined];

  /** @param radix one more than the largest unit */
  constructor(readonly radix: number) {}

  add(units: ArrayLike<number>, value: number): void {
    let node = 0;
    for (let i = 0; i < units.length; i++) {
      const key = node * this.radix + (units[i] as number);
      let next = this.#next.get(key);
      if (next === undefined) {
        next = this.#values.push(undefined) - 1;
        this.#next.set(key, next);
      }
      node = next;
    }
    this.#values[node] = value;
  }

  /** The longest entry that starts at `start`, or null. */
  longest(units: ArrayLike<number>, start: number): { readonly value: number; readonly end: number } | null {
    let node: number | undefined = 0;
    let value: number | undefined;
    let end = start;
    for (let i = start; i < units.length; i++) {
      node = this.#next.get(node * this.radix + (units[i] as number));
      if (node === undefined) break;
      if (this.#values[node] !== undefined) {
        value = this.#values[node];
        end = i + 1;
      }
    }
    return value === undefined ? null : { value, end };
  }
}

/** The UTF-16 units of a string, as `Trie` wants them. */
export function utf16(text: string): Uint16Array {
  const units = new Uint16Array(text.length);
  for (let i = 0; i < text.length; i++) units[i] = text.charCodeAt(i);
  return units;
}
