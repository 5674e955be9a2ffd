/** Asks `make` when it is first needed and gives everybody that answer. A failure is forgotten, so that whoever needs it next asks again. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  const kept = new OnceByKey<T>();
  return () => kept.get('', make);
}

/** The same by key. Beyond `limit` the one asked for longest ago goes, which `out` is told. */
export class OnceByKey<T> {
  readonly #kept = new Map<string, Promise<T>>();

  constructor(
    private readonly limit = Number.POSITIVE_INFINITY,
    private readonly out: (gone: Promise<T>) => void = () => undefined,
  ) {}

  get(key: string, make: () => Promise<T>): Promise<T> {
    const asked = this.#kept.get(key) ?? this.#forgetting(key, make());
    this.#kept.delete(key);
    this.#kept.set(key, asked);
    for (const [oldest, gone] of this.#kept) {
      if (this.#kept.size <= this.limit) break;
      this.#kept.delete(oldest);
      this.out(gone);
    }
    return asked;
  }

  /** Takes out all that there is, and waits for it: for whoever has to release it. */
  async drain(): Promise<T[]> {
    const all = [...this.#kept.values()];
    this.#kept.clear();
    return fulfilled(all);
  }

  #forgetting(key: string, asked: Promise<T>): Promise<T> {
    asked.catch(() => {
      if (this.#kept.get(key) === asked) this.#kept.delete(key);
    });
    return asked;
  }
}

/** Of these promises, the values of those that do not fail. */
export async function fulfilled<T>(promises: Iterable<Promise<T>>): Promise<T[]> {
  const all = await Promise.allSettled(promises);
  return all.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
