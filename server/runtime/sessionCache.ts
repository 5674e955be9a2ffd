import { fulfilled, OnceByKey } from '../protocol/once.js';

/** Sessions kept open for looking inside a model, unless an option says otherwise. */
const INSPECTIONS = 32;

/** Sessions by what they compute, least recently used first out. One that is put out stays open while somebody is at work who may have been given it. */
export class SessionCache<T> {
  readonly #kept: OnceByKey<T>;
  readonly #users = new Set<symbol>();
  /** What was put out, and who of those at work then still is. */
  readonly #out = new Map<Promise<T>, Set<symbol>>();

  constructor(
    limit = INSPECTIONS,
    private readonly release: (session: T) => Promise<void>,
  ) {
    this.#kept = new OnceByKey(limit, (old) => this.#out.set(old, new Set(this.#users)));
  }

  /** Safe to run within `use` alone. */
  async get(key: string, make: () => Promise<T>): Promise<T> {
    const session = this.#kept.get(key, make);
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
    const out = [...this.#out.keys()];
    this.#out.clear();
    for (const session of [...(await this.#kept.drain()), ...(await fulfilled(out))]) await this.release(session);
  }

  #letGo(): void {
    for (const [session, users] of this.#out) {
      if (users.size > 0) continue;
      this.#out.delete(session);
      void session.then(this.release).catch(() => undefined);
    }
  }
}
