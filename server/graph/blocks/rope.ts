import { LabError } from '../../protocol/errors.js';
import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';

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
  /** Tokens up to which these frequencies hold: beyond, dynamic scaling would take others. null: any number. */
  readonly limit: number | null;
  /** Positions start again at 0 every so many tokens. */
  readonly period?: number;
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
    hint: 'Known: default, linear, llama3, yarn, longrope and dynamic (within the trained context).',
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
  const plain = (frequencies: Float32Array): Rope => ({ style, dims, frequencies, amplitude: 1, limit: null });
  switch (p.type) {
    case 'default':
    case 'mrope':
      return plain(base);
    case 'dynamic':
      return { ...plain(base), limit: p.context };
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
 * LongRoPE (Ding et al. 2024): every pair has its own divisor, one set up to the original context and another beyond. The short set is in
 * use here, and holds up to that context: beyond, all keys so far would have to turn by other angles.
 */
function longRope(plain: Rope, p: RopeParameters, need: (key: string) => number): Rope {
  const original = originalContext(p, need);
  const factor = p.get('factor') ?? (p.context ?? original) / original;
  const short = p.list('short_factor');
  if (short?.length !== plain.frequencies.length) throw missing(p.type, `short_factor, ${plain.frequencies.length} numbers`);
  return {
    ...plain,
    frequencies: plain.frequencies.map((f, i) => f / (short[i] as number)),
    amplitude: p.get('attention_factor') ?? (factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original))),
    limit: original,
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
  return { style, dims, frequencies, amplitude, limit: null };
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
  const angles = g.memo(r, () => g.mul(positions, g.constant(r.frequencies, [1, r.dims / 2])));
  const scaled = (v: Value) => (r.amplitude === 1 ? v : g.mul(v, r.amplitude));
  const cos = g.memo(angles, () => scaled(g.cos(angles)));
  return { cos, sin: g.memo(cos, () => scaled(g.sin(angles))) };
}
