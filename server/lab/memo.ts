import type { Kept, Watched } from '../runtime/view.js';
import type { ByteCache } from './byteCache.js';
import { SharedWork } from './sharedWork.js';

/** Results by key in a cache; who asks for what is being computed waits for it. */
export class Memo {
  readonly #work = new SharedWork();

  constructor(private readonly cache: ByteCache) {}

  known<T>(key: string): T | undefined {
    return this.cache.get<T>(key);
  }

  keep({ key, value, bytes }: Kept): void {
    this.cache.set(key, value, bytes);
  }

  /** Errors: CANCELLED, those of `make`. */
  async get<T>(key: string, watched: Watched, make: (watched: Watched) => Promise<T>, bytes: (value: T) => number): Promise<T> {
    const known = this.known<T>(key);
    if (known !== undefined) return known;
    return this.#work.share(key, watched, async (shared) => {
      const value = await make(shared);
      this.keep({ key, value, bytes: bytes(value) });
      return value;
    });
  }
}
