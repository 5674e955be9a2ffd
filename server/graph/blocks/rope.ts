import { LabError } from '../../protocol/errors.js';
import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';

/** Of a GGUF: divisors of RoPE's frequencies, one a pair. */
export const ROPE_FACTORS = 'rope_freqs.weight';
/** The same of LongRoPE, by the keys that hold them in a config. */
export const LONG_FACTORS: Readonly<Record<string, string>> = {
  short_factor: 'rope_factors_short.weight',
  long_factor: 'rope_factors_long.weight',
};
/** Tensors whose values change the graph itself. */
export const ROPE_TENSORS: readonly string[] = [ROPE_FACTORS, ...Object.values(LONG_FACTORS)];

/** Rotary position embedding (Su et al. 2021): pairs of dimensions turn by position · frequency. */
export interface Rope {
  /** Pairs are (i, i + dims/2), or (2i, 2i + 1). */
  readonly style: 'half' | 'interleaved';
  /** Rotated dimensions of each head, the first ones. */
  readonly dims: number;
  /** Radians a token, one for each pair: [dims / 2]. */
  readonly frequencies: Float32Array;
  /** YaRN's factor on cos and sin, 1 otherwise. */
  readonly amplitude: number;
  /** What they become in a run of many tokens; null: they stay. */
  readonly stretch: Stretch | null;
  /** Positions start again at 0 every so many tokens. */
  readonly period?: number;
}

/** Frequencies of tokens that are read together with so many others that the run has more than `beyond`. */
export interface Stretch {
  readonly beyond: number;
  /** LongRoPE: other frequencies, [dims / 2]. Dynamic scaling: what the base grows by, see `stretched`. */
  readonly to: Float32Array | { readonly factor: number };
}

/** `rope_parameters` (or `rope_scaling` + `rope_theta`) as read from a config. */
export interface RopeParameters {
  readonly type: string;
  readonly theta: number;
  readonly get: (key: string) => number | null;
  readonly list: (key: string) => readonly number[] | null;
  /** max_position_embeddings. */
  readonly context: number | null;
}

const unknownRope = (type: string) =>
  new LabError({
    code: 'ROPE_UNKNOWN',
    message: `RoPE scaling of type "${type}" is not known.`,
    hint: 'Known: default, linear, llama3, yarn, longrope and dynamic.',
  });

const missing = (type: string, key: string) =>
  new LabError({
    code: 'CONFIG_MISSING',
    message: `RoPE of type ${type} needs ${key}.`,
    hint: 'Add it to rope_parameters in config.json.',
  });

const unpaired = (dims: number) =>
  new LabError({
    code: 'CONFIG_INVALID',
    message: `RoPE turns pairs of dimensions, and config.json says ${dims} of a head.`,
    hint: 'Correct head_dim, partial_rotary_factor or qk_rope_head_dim in config.json: their product must be even.',
  });

/** As GGUF files carry Llama 3's scaling: a tensor of divisors, one a pair. */
export const dividedBy = (turn: Rope, factors: Float32Array | undefined): Rope =>
  factors ? { ...turn, frequencies: turn.frequencies.map((f, i) => f / (factors[i] ?? 1)) } : turn;

/** Frequencies of a head of `dims` rotated dimensions under the scaling the config names. */
export function rope(dims: number, p: RopeParameters, style: Rope['style'] = 'half'): Rope {
  if (dims <= 0 || dims % 2 !== 0) throw unpaired(dims);
  const base = Float32Array.from({ length: dims / 2 }, (_, i) => p.theta ** ((-2 * i) / dims));
  const need = (key: string): number => {
    const value = p.get(key);
    if (value === null) throw missing(p.type, key);
    return value;
  };
  const plain = (frequencies: Float32Array): Rope => ({ style, dims, frequencies, amplitude: 1, stretch: null });
  switch (p.type) {
    case 'default':
    case 'mrope':
      return plain(base);
    case 'dynamic':
      return dynamic(plain(base), p, need);
    case 'linear':
      return plain(base.map((f) => f / need('factor')));
    case 'llama3':
      return plain(llama3(base, p, need));
    case 'longrope':
    case 'su':
      return longRope(plain(base), p, need);
    case 'yarn':
      // Phi-3 once called LongRoPE so
      return p.list('short_factor') ? longRope(plain(base), p, need) : yarn(dims, base, p, need, style);
    default:
      throw unknownRope(p.type);
  }
}

/** NTK-aware, growing with the run (transformers' `dynamic`): the base is raised so that the slowest pair turns as far as in the trained context. */
function dynamic(plain: Rope, p: RopeParameters, need: (key: string) => number): Rope {
  const factor = need('factor');
  return p.context === null ? plain : { ...plain, stretch: { beyond: p.context, to: { factor } } };
}

/** Llama 3.1: low frequencies are slowed by `factor`, high ones kept, those between blended. */
function llama3(base: Float32Array, p: RopeParameters, need: (key: string) => number): Float32Array {
  const [factor, low, high] = ['factor', 'low_freq_factor', 'high_freq_factor'].map(need) as [number, number, number];
  const original = originalContext(p, need);
  return base.map((f) => {
    const wavelength = (2 * Math.PI) / f;
    if (wavelength < original / high) return f;
    if (wavelength > original / low) return f / factor;
    const smooth = (original / wavelength - low) / (high - low);
    return ((1 - smooth) * f) / factor + smooth * f;
  });
}

const originalContext = (p: RopeParameters, need: (key: string) => number): number =>
  p.get('original_max_position_embeddings') ?? p.context ?? need('original_max_position_embeddings');

/**
 * LongRoPE (Ding et al. 2024): every pair has its own divisor, one set up to the original context and another beyond. Keys that are cached
 * before a run grows beyond it keep the angles they were turned by, as in transformers.
 */
function longRope(plain: Rope, p: RopeParameters, need: (key: string) => number): Rope {
  const original = originalContext(p, need);
  const factor = p.get('factor') ?? (p.context ?? original) / original;
  const [short, long] = ['short_factor', 'long_factor'].map((key) => {
    const divisors = p.list(key);
    if (divisors?.length !== plain.frequencies.length) throw missing(p.type, `${key}, ${plain.frequencies.length} numbers`);
    return plain.frequencies.map((f, i) => f / (divisors[i] as number));
  }) as [Float32Array, Float32Array];
  return {
    ...plain,
    frequencies: short,
    amplitude: p.get('attention_factor') ?? (factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original))),
    stretch: { beyond: original, to: long },
  };
}

/** YaRN (Peng et al. 2023): interpolate below β_slow turns of the original context, extrapolate above β_fast, ramp between. */
function yarn(dims: number, base: Float32Array, p: RopeParameters, need: (key: string) => number, style: Rope['style']): Rope {
  const original = originalContext(p, need);
  const factor = p.get('factor') ?? (p.context ?? need('factor')) / original;
  const pairOf = (turns: number) => (dims * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(p.theta));
  const truncate = p.get('truncate') !== 0;
  const [fast, slow] = [pairOf(p.get('beta_fast') || 32), pairOf(p.get('beta_slow') || 1)];
  const low = Math.max(truncate ? Math.floor(fast) : fast, 0);
  const high = Math.min(truncate ? Math.ceil(slow) : slow, dims - 1);
  const frequencies = base.map((f, i) => {
    const ramp = Math.min(Math.max((i - low) / (high === low ? 0.001 : high - low), 0), 1);
    return (f / factor) * ramp + f * (1 - ramp);
  });
  const mscale = (scale: number, m = 1) => (scale <= 1 ? 1 : 0.1 * m * Math.log(scale) + 1);
  const [m, mAll] = [p.get('mscale'), p.get('mscale_all_dim')];
  const amplitude = p.get('attention_factor') ?? (m && mAll ? mscale(factor, m) / mscale(factor, mAll) : mscale(factor));
  return { style, dims, frequencies, amplitude, stretch: null };
}

/** Turns x [B,H,T,E] by the positions of the new tokens. */
export function rotate(g: SegmentBuilder, x: Value, r: Rope): Value {
  const { cos, sin } = tables(g, x, r);
  return g.op('Rotate', [x, cos, sin], x.shape, { dims: r.dims, interleaved: r.style === 'interleaved' });
}

/** cos and sin of position · frequency: [T, dims/2]. */
function tables(g: SegmentBuilder, x: Value, r: Rope): { cos: Value; sin: Value } {
  const { period } = r;
  const counted = () => (period === undefined ? g.positions(x, 2) : g.mod(g.positions(x, 2), period));
  const positions = g.memo(`positions.f32.${period ?? ''}`, () => g.unsqueeze(g.cast(counted(), 'f32'), 1)); // [T,1]
  const angles = g.memo(r, () => g.mul(positions, stretched(g, r)));
  const scaled = (v: Value) => (r.amplitude === 1 ? v : g.mul(v, r.amplitude));
  const cos = g.memo(angles, () => scaled(g.cos(angles)));
  return { cos, sin: g.memo(cos, () => scaled(g.sin(angles))) };
}

/**
 * Frequencies of the new tokens, [1, dims/2], or [T, dims/2] where they depend on how far the run reached when each was read. Dynamic scaling takes the
 * base θ·a^(d/(d−2)) for d dimensions, with a = factor·reach/beyond − (factor − 1): pair i turns by θ^(−2i/d) · a^(−2i/(d−2)).
 */
function stretched(g: SegmentBuilder, { frequencies, dims, stretch }: Rope): Value {
  const usual = g.constant(frequencies, [1, dims / 2]);
  if (stretch === null) return usual;
  const { beyond, to } = stretch;
  const reach = g.unsqueeze(g.reach, 1); // [T,1]
  if (to instanceof Float32Array) return g.where(g.greater(reach, g.ints(beyond)), g.constant(to, [1, dims / 2]), usual);
  const growth = g.sub(g.mul(g.div(g.cast(reach, 'f32'), beyond), to.factor), to.factor - 1);
  const slowed = g.mul(g.log(g.max(growth, 1)), g.constant(exponents(dims), [1, dims / 2]));
  return g.mul(usual, g.exp(slowed));
}

const exponents = (dims: number): Float32Array =>
  Float32Array.from({ length: dims / 2 }, (_, i) => (i === 0 ? 0 : (-2 * i) / (dims - 2)));

/** Frequencies of a token that was read in a run of `reach` tokens: what `stretched` computes, as numbers. */
export function frequenciesAt({ frequencies, dims, stretch }: Rope, reach: number): Float32Array {
  if (stretch === null || reach <= stretch.beyond) return frequencies;
  const { beyond, to } = stretch;
  if (to instanceof Float32Array) return to;
  const growth = (to.factor * reach) / beyond - (to.factor - 1);
  return frequencies.map((f, i) => f * growth ** (exponents(dims)[i] as number));
}
