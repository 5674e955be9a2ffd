import type { Streamed } from '../formats/writeSafetensors.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Sequence } from './sequence.js';
import type { LayerView, TokenRange } from './view.js';

/** Tokens computed at a time: those between two snapshots. */
const PART = 256;

const STATE = /^blocks\.(\d+)\.state\.(\w+)$/;

/** Whether a probe is a state after every token, which for a long run does not fit into memory. */
export function isEveryState(name: string, layers: readonly LayerView[]): boolean {
  const [, block, state] = STATE.exec(name) ?? [];
  return layers[Number(block)]?.state.some(({ name, kind }) => name === state && kind !== 'kv') ?? false;
}

/** Such a state [to−from, …], computed while it is written. Errors: those of `read`. */
export async function everyState(
  read: (name: string, range: TokenRange) => Promise<Tensor>,
  name: string,
  { from, to }: TokenRange,
): Promise<Streamed> {
  const { shape } = await read(name, { from, to: from + 1 });
  return {
    dtype: 'F32',
    shape: [to - from, ...shape.slice(1)],
    async *parts() {
      for (let at = from; at < to; ) {
        const end = Math.min(to, (Math.floor(at / PART) + 1) * PART);
        yield (await read(name, { from: at, to: end })).data;
        at = end;
      }
    },
  };
}

/** Rows of logits computed at a time. */
const ROWS = 64;

/** Logits after each of some tokens [to−from, V], computed while they are written: of a long prompt they take more memory than all its states. */
export const everyLogits = (run: Sequence, { from, to }: TokenRange, signal?: AbortSignal): Streamed => ({
  dtype: 'F32',
  shape: [to - from, run.vocab],
  async *parts() {
    for (let at = from; at < to; at += ROWS) yield await run.logits({ from: at, to: Math.min(to, at + ROWS) }, signal);
  },
});
