/** State a block declares. Cache, memory and state views derive from this; nothing downstream knows the family. */
export interface StateSpec {
  /** k, v, c_kv, k_pe, conv, ssm, wkv, att_shift, ffn_shift … */
  readonly name: string;
  /** `kv` gains a row a token; `conv`, `matrix` and `shift` are replaced. */
  readonly kind: 'kv' | 'conv' | 'matrix' | 'shift';
  /** Without batch: [K, 'S', E] for kv, ['S', E] when all heads share the rows; fixed sizes otherwise. */
  readonly shape: readonly (number | 'S')[];
  /** kv: rows kept at most (sliding window − 1), null for all. */
  readonly keeps: number | null;
  /** The state before the first token is a tensor of the checkpoint, which the probe `state.NAME.initial` shows, not zeros. */
  readonly learned?: boolean;
}

/** Keys and values of K heads after RoPE. A sliding window of w tokens needs w − 1 old rows. */
export const kvState = (kvHeads: number, headDim: number, window: number | null): StateSpec[] =>
  ['k', 'v'].map((name) => ({ name, kind: 'kv', shape: [kvHeads, 'S', headDim], keeps: window === null ? null : window - 1 }));

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
