import type { StateSnapshot } from './device.js';
import type { Run } from './run.js';

/** Tokens between states that are known inside a chunk, once somebody looked there: what is computed to see a token. */
export const STRIDE = 32;
/** Bytes of such states that a run keeps, those looked at last. */
const MOST = 64 << 20;

interface Known {
  readonly layer: number;
  readonly at: number;
  readonly states: StateSnapshot;
  readonly bytes: number;
}

/** States of single layers between the snapshots of a run: one token costs a few others, not those of a whole chunk. */
export class FineStates {
  #known: readonly Known[] = [];

  get bytes(): number {
    return this.#known.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** States of a layer before token `at`; absent at the first token and where none are known. */
  get(layer: number, at: number): StateSnapshot | undefined {
    return this.#known.find((known) => known.layer === layer && known.at === at)?.states;
  }

  /** The last token at or before `at` before which they are known. */
  last(layer: number, at: number): number {
    return Math.max(0, ...this.#known.filter((known) => known.layer === layer && known.at <= at).map((known) => known.at));
  }

  set(layer: number, at: number, states: StateSnapshot): void {
    const bytes = [...states.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
    const others = this.#known.filter((known) => known.layer !== layer || known.at !== at);
    this.#known = [...others, { layer, at, states, bytes }];
    while (this.bytes > MOST && this.#known.length > 1) this.#known = this.#known.slice(1);
  }

  clear(): void {
    this.#known = [];
  }
}

/** States of a layer before a token, where they are known: null at the first token is zeros, or what the checkpoint learned. */
export const statesBefore = (run: Run, layer: number, at: number): StateSnapshot | undefined =>
  run.snapshots.find((snapshot) => snapshot.at === at)?.states ?? run.fine.get(layer, at);

/** The last token at or before `at` where a segment of this layer can begin. */
export const lastKnown = (run: Run, layer: number, at: number): number =>
  Math.max(run.snapshots.findLast((snapshot) => snapshot.at <= at)?.at ?? 0, run.fine.last(layer, at));
