/** Sessions kept open for looking inside a model, unless an option says otherwise. */
const INSPECTIONS = 32;

/** Sessions by what they compute, least recently used first out. One that is put out stays open while somebody is at work who may have been given it. */
export class SessionCache<T> {
  readonly #kept = new Map<string, Promise<T>>();
  readonly #users = new Set<symbol>();
  /** What was put out, and who of those at work then still is. */
  readonly #out = new Map<Promise<T>, Set<symbol>>();

  constructor(
    private readonly limit = INSPECTIONS,
    private readonly release: (session: T) => Promise<void>,
  ) {}

  /** Safe to run within `use` alone. */
  async get(key: string, make: () => Promise<T>): Promise<T> {
    const session = this.#kept.get(key) ?? make();
    this.#kept.delete(key);
    this.#kept.set(key, session);
    session.catch(() => {
      if (this.#kept.get(key) === session) this.#kept.delete(key);
    });
    for (const [oldest, old] of this.#kept) {
      if (this.#kept.size <= this.limit) break;
      this.#kept.delete(oldest);
      this.#out.set(old, new Set(this.#users));
    }
    this.#letGo();
    return session;
  }

  /** What `work` gets stays open until it ends. */
  async use<R>(work: () => Promise<R>): Promise<R> {
    const user = Symbol('user');
    this.#users.add(user);
    try {
      return await work();
    } finally {
      this.#users.delete(user);
      for (const users of this.#out.values()) users.delete(user);
      this.#letGo();
    }
  }

  async close(): Promise<void> {
    const all = await Promise.allSettled([...this.#kept.values(), ...this.#out.keys()]);
    this.#kept.clear();
    this.#out.clear();
    for (const result of all) if (result.status === 'fulfilled') await this.release(result.value);
  }

  #letGo(): void {
    for (const [session, users] of this.#out) {
      if (users.size > 0) continue;
      this.#out.delete(session);
      void session.then(this.release).catch(() => undefined);
    }
  }
}
