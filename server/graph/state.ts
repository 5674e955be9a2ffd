import type { Keeps } from '../protocol/keeps.js';

/** State a block declares. Cache, memory and state views derive from this; nothing downstream knows the family. */
export interface StateSpec {
  /** k, v, c_kv, k_pe, conv, ssm, wkv, att_shift, ffn_shift … */
  readonly name: string;
  /** `kv` gains a row a token; `conv`, `matrix` and `shift` are replaced. */
  readonly kind: 'kv' | 'conv' | 'matrix' | 'shift';
  /** Without batch: [K, 'S', E] for kv, ['S', E] when all heads share the rows; fixed sizes otherwise. */
  readonly shape: readonly (number | 'S')[];
  /** kv: which rows are kept; a sliding window of w tokens needs w − 1 old ones. */
  readonly keeps: Keeps;
  /** The state before the first token is a tensor of the checkpoint, which the probe `state.NAME.initial` shows, not zeros. */
  readonly learned?: boolean;
}

/** Rows of K heads, E numbers each. */
export const rowState = (name: string, kvHeads: number, size: number, keeps: Keeps): StateSpec => ({
  name,
  kind: 'kv',
  shape: [kvHeads, 'S', size],
  keeps,
});

const BLOCKS = /^blocks(\d+)_(\d+)$/;

/** The size of a kv array, whose rows are kept by this rule: `C.all`, `C.5`, `C.chunk8`, `C.blocks4_2`. */
export function rowsDim(keeps: Keeps): string {
  if (keeps === null || typeof keeps === 'number') return `C.${keeps ?? 'all'}`;
  return 'chunk' in keeps ? `C.chunk${keeps.chunk}` : `C.blocks${keeps.block}_${keeps.stride}`;
}

/** The rule that such a size names. */
export function keepsOfDim(dim: string): Keeps {
  const rule = dim.slice(2);
  const [, block, stride] = BLOCKS.exec(rule) ?? [];
  if (block !== undefined) return { block: Number(block), stride: Number(stride) };
  if (rule.startsWith('chunk')) return { chunk: Number(rule.slice(5)) };
  return rule === 'all' ? null : Number(rule);
}

/** What multi-head latent attention keeps instead of keys and values: the latent of rank R, and the part of the key that RoPE turns. */
export const latentState = (rank: number, ropeDims: number): StateSpec[] => [
  { name: 'c_kv', kind: 'kv', shape: ['S', rank], keeps: null },
  { name: 'k_pe', kind: 'kv', shape: ['S', ropeDims], keeps: null },
];

/** The last `width` inputs of a causal convolution over `channels`. */
export const convState = (channels: number, width: number): StateSpec => ({
  name: 'conv',
  kind: 'conv',
  shape: [channels, width],
  keeps: null,
});

export const matrixState = (name: string, shape: readonly number[]): StateSpec => ({ name, kind: 'matrix', shape, keeps: null });

export const learnedState = (name: string, shape: readonly number[]): StateSpec => ({
  ...matrixState(name, shape),
  learned: true,
});

/** The previous token's input of a token shift. */
export const shiftState = (name: string, channels: number): StateSpec => ({
  name,
  kind: 'shift',
  shape: [channels],
  keeps: null,
});
