import { type Signal, signal } from '@preact/signals';
import type { LabErrorData } from '../../server/protocol/errors.js';
import type { OutlinePart, SegmentGraph } from '../../server/protocol/graph.js';
import { errorData, request } from '../host.js';
import { segmentId } from './scene.js';

type Loaded = SegmentGraph | { readonly error: LabErrorData } | 'loading';

/** A run whose sizes are shown: so many tokens in one of the towers. */
export interface Live {
  readonly tower: string;
  readonly tokens: number;
}

/** Segments of one checkpoint as they are opened. Which expert is shown belongs to the segment. */
export class Segments {
  readonly #known: Signal<ReadonlyMap<string, Loaded>> = signal(new Map());
  readonly #shown = signal<ReadonlyMap<string, number>>(new Map());
  /** Whose sizes are asked for; set while rendering. */
  live: Live | null = null;

  constructor(readonly path: string) {}

  /** Asks for it the first time; null until it is here. With symbolic sizes until those of the run are here. */
  get(part: OutlinePart): SegmentGraph | null {
    for (const tokens of new Set([null, this.tokens(part)])) {
      const key = this.#key(part, tokens);
      if (!this.#known.value.has(key)) queueMicrotask(() => void this.#load(part, tokens, key));
    }
    return this.known(part);
  }

  /** Without asking for it. */
  known(part: OutlinePart): SegmentGraph | null {
    return this.#loaded(part, this.tokens(part)) ?? this.#loaded(part, null);
  }

  /** Tokens of the run, for a part that reads them. */
  tokens = ({ tower }: OutlinePart): number | null => (this.live?.tower === tower ? this.live.tokens : null);

  /** Whether what is known has the sizes of the run. */
  sized = (part: OutlinePart): boolean => this.tokens(part) !== null && this.#loaded(part, this.tokens(part)) !== null;

  #loaded(part: OutlinePart, tokens: number | null): SegmentGraph | null {
    const loaded = this.#known.value.get(this.#key(part, tokens));
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

  #key = (part: OutlinePart, tokens: number | null): string => `${segmentId(part)} ${this.shown(part)} ${tokens ?? ''}`;

  async #load(of: OutlinePart, tokens: number | null, key: string): Promise<void> {
    if (this.#known.value.has(key)) return;
    this.#set(key, 'loading');
    const { tower, part } = of;
    try {
      this.#set(key, await request('model/segment', { path: this.path, tower, part, shown: this.shown(of), tokens }));
    } catch (error) {
      this.#set(key, { error: errorData(error) });
    }
  }

  #set(key: string, loaded: Loaded): void {
    this.#known.value = new Map(this.#known.value).set(key, loaded);
  }
}
