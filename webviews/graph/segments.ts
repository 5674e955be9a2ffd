import { type Signal, signal } from '@preact/signals';
import type { LabErrorData } from '../../server/protocol/errors.js';
import type { OutlinePart, SegmentGraph } from '../../server/protocol/graph.js';
import { errorData, request } from '../host.js';
import { segmentId } from './scene.js';

type Loaded = SegmentGraph | { readonly error: LabErrorData } | 'loading';

/** Segments of one checkpoint as they are opened. Which expert is shown belongs to the segment. */
export class Segments {
  readonly #known: Signal<ReadonlyMap<string, Loaded>> = signal(new Map());
  readonly #shown = signal<ReadonlyMap<string, number>>(new Map());

  constructor(private readonly path: string) {}

  /** Asks for it the first time; null until it is here. */
  get(part: OutlinePart): SegmentGraph | null {
    const key = this.#key(part);
    const loaded = this.#known.value.get(key);
    if (loaded === undefined) queueMicrotask(() => void this.#load(part, key));
    return loaded && loaded !== 'loading' && 'nodes' in loaded ? loaded : null;
  }

  /** Without asking for it. */
  known(part: OutlinePart): SegmentGraph | null {
    const loaded = this.#known.value.get(this.#key(part));
    return loaded && loaded !== 'loading' && 'nodes' in loaded ? loaded : null;
  }

  get error(): LabErrorData | null {
    for (const loaded of this.#known.value.values()) if (loaded !== 'loading' && 'error' in loaded) return loaded.error;
    return null;
  }

  get loading(): boolean {
    return [...this.#known.value.values()].includes('loading');
  }

  shown(part: OutlinePart): number {
    return this.#shown.value.get(segmentId(part)) ?? 0;
  }

  show(part: OutlinePart, index: number): void {
    this.#shown.value = new Map(this.#shown.value).set(segmentId(part), index);
  }

  /** Asks again for what failed. */
  retry(): void {
    this.#known.value = new Map([...this.#known.value].filter(([, loaded]) => loaded === 'loading' || 'nodes' in loaded));
  }

  #key = (part: OutlinePart): string => `${segmentId(part)} ${this.shown(part)}`;

  async #load({ tower, part, ...rest }: OutlinePart, key: string): Promise<void> {
    if (this.#known.value.has(key)) return;
    this.#set(key, 'loading');
    try {
      const shown = this.shown({ tower, part, ...rest });
      this.#set(key, await request('model/segment', { path: this.path, tower, part, shown }));
    } catch (error) {
      this.#set(key, { error: errorData(error) });
    }
  }

  #set(key: string, loaded: Loaded): void {
    this.#known.value = new Map(this.#known.value).set(key, loaded);
  }
}
