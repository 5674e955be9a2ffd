import { cancelled } from '../protocol/errors.js';
import type { Watched } from '../runtime/view.js';

interface Work {
  readonly result: Promise<unknown>;
  readonly controller: AbortController;
  readonly watching: Set<Watched>;
}

/** Computations that several wait for at once: each runs once and tells all of them how far it is, until the last one has cancelled. */
export class SharedWork {
  readonly #running = new Map<string, Work>();

  /** Errors: those of `compute`, CANCELLED. */
  async share<R>(key: string, watched: Watched, compute: (watched: Watched) => Promise<R>): Promise<R> {
    if (watched.signal.aborted) throw cancelled();
    const work = this.#running.get(key) ?? this.#begin(key, compute);
    work.watching.add(watched);
    let leave: () => void = () => undefined;
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(cancelled());
      watched.signal.addEventListener('abort', leave, { once: true });
    });
    try {
      return (await Promise.race([work.result, left])) as R;
    } finally {
      watched.signal.removeEventListener('abort', leave);
      work.watching.delete(watched);
      if (work.watching.size === 0) this.#end(key, work);
    }
  }

  #begin(key: string, compute: (watched: Watched) => Promise<unknown>): Work {
    const [controller, watching] = [new AbortController(), new Set<Watched>()];
    const progress: Watched['progress'] = (done, total, what) => {
      for (const one of watching) one.progress(done, total, what);
    };
    // begins when the first one listens
    const result = Promise.resolve().then(() => compute({ signal: controller.signal, progress }));
    const work = { result, controller, watching };
    this.#running.set(key, work);
    result.catch(() => undefined).finally(() => this.#end(key, work));
    return work;
  }

  #end(key: string, work: Work): void {
    work.controller.abort();
    if (this.#running.get(key) === work) this.#running.delete(key);
  }
}
