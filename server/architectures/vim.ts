import { defineEncoder, type StackConfig } from '../graph/architecture.js';
import { rmsNorm } from '../graph/blocks/norm.js';
import { embedPatches, type PatchSpec, patchGrid, perInput, pixels, tokenAt, tokensOf } from '../graph/blocks/patches.js';
import type { ConfigReader } from '../graph/config.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { matrixState } from '../graph/state.js';

interface VimConfig extends StackConfig, PatchSpec {
  readonly image: PatchSpec['image'];
  readonly dInner: number;
  readonly dConv: number;
  readonly N: number;
  readonly R: number;
  readonly eps: number;
  readonly headEps: number;
}

/** Against the order of the tokens, or with it. */
type Direction = 'fwd' | 'bwd';

function config(raw: ConfigReader): VimConfig {
  const dModel = raw.size('hidden_size');
  return {
    dModel,
    layers: raw.layers('num_hidden_layers'),
    dInner: raw.size('intermediate_size', raw.size('expand', 2) * dModel),
    dConv: raw.size('conv_kernel', 4),
    N: raw.size('state_size', 16),
    R: raw.size(['dt_rank', 'time_step_rank'], Math.ceil(dModel / 16)),
    eps: raw.number('rms_norm_eps', 1e-6),
    headEps: raw.number('head_norm_eps', 1e-5),
    channels: raw.size('num_channels', 3),
    image: raw.sides('image_size', 224),
    patch: raw.sides('patch_size', 16),
  };
}

/** Zeros for every input of the batch: [B, …sizes]. */
const blank = (g: SegmentBuilder, like: Value, ...sizes: number[]): Value =>
  g.op('Expand', [g.constant(0), g.concat([g.unsqueeze(g.size(like, 0), 0), g.ints(...sizes)], 0)], ['B', ...sizes]);

/** Each token with the W − 1 it has already met in this direction, channel by channel; before the first are zeros. [B,T,d] → [B,T,d]. */
function convolve(g: SegmentBuilder, { dInner: d, dConv: W }: VimConfig, x: Value, direction: Direction): Value {
  const zeros = blank(g, x, W - 1, d); // [B,W−1,d]
  const inputs = g.concat(direction === 'fwd' ? [zeros, x] : [x, zeros], 1);
  const weight = g.weight('conv_weight', [d, W]);
  const terms = Array.from({ length: W }, (_, j) => {
    const start = direction === 'fwd' ? j : W - 1 - j;
    const behind = W - 1 - start;
    const met = g.slice(inputs, 1, start, behind === 0 ? Number.MAX_SAFE_INTEGER : -behind, 'T');
    return g.mul(met, g.squeeze(g.slice(weight, 1, j, j + 1), 1));
  });
  return g.add(
    terms.reduce((a, b) => g.add(a, b)),
    g.weight('conv_bias', [d]),
  );
}

/** Mamba's selective scan with the parameters of one direction (Gu & Dao 2023, Alg. 2): a [B,T,d] → y [B,T,d]. */
function scan(g: SegmentBuilder, c: VimConfig, a: Value, direction: Direction): Value {
  const { dInner: d, N, R } = c;
  const name = (probe: string) => `mixer.${probe}_${direction}`;
  const u = g.probe(name('conv'), g.silu(convolve(g, c, a, direction))); // [B,T,d]
  const [dt, B0, C0] = g.split(g.linear(u, 'x_proj', R + 2 * N), -1, [R, N, N]) as [Value, Value, Value];
  const delta = g.probe(name('delta'), g.softplus(g.linear(dt, 'dt_proj', d))); // [B,T,d]
  const B = g.probe(name('B'), B0); // [B,T,N]
  const C = g.probe(name('C'), C0); // [B,T,N]
  const A = g.neg(g.exp(g.weight('A_log', [d, N])));
  const decay = g.probe(name('decay'), g.exp(g.mul(g.unsqueeze(delta, -1), A))); // [B,T,d,N]
  const write = g.probe(name('write'), g.mul(g.unsqueeze(g.mul(delta, u), -1), g.unsqueeze(B, -2))); // [B,T,d,N]
  const { outputs } = g.scan(
    blank(g, a, d, N),
    [decay, write],
    (b, h, [decay, write]) => {
      const next = b.add(b.mul(decay as Value, h), write as Value);
      return { state: next, outputs: [next] };
    },
    direction === 'bwd',
  );
  const states = outputs[0] as Value; // [B,T,d,N]
  g.stateEvery(`ssm_${direction}`, () => states);
  const read = g.squeeze(g.matmul(states, g.unsqueeze(C, -1)), -1);
  const skip = g.probe(name('skip'), g.mul(u, g.weight('D', [d])));
  return g.probe(name('y'), g.add(read, skip)); // [B,T,d]
}

function block(g: SegmentBuilder, c: VimConfig, x: Value): Value {
  const normed = g.probe('ln1', rmsNorm(g, x, 'norm', c.eps));
  const [a, z] = g.split(g.linear(normed, 'in_proj', 2 * c.dInner), -1, [c.dInner, c.dInner]) as [Value, Value];
  const read = (direction: Direction) => g.within('', `${direction}.`, () => scan(g, c, a, direction));
  const y = g.add(read('fwd'), read('bwd'));
  const gated = g.mul(y, g.probe('mixer.gate', g.silu(z)));
  return g.add(x, g.probe('mixer.out', g.linear(gated, 'out_proj', c.dModel))); // [B,T,D]
}

/**
 * Vision Mamba (Vim): Zhu et al. 2024 (arXiv 2401.09417), Alg. 1; official code hustvl/Vim. Patches with the class token in their middle, read by
 * two selective scans, one in each direction. d = channels, N = states a channel, R = rank of Δ.
 */
export const vim = defineEncoder<VimConfig>({
  id: 'vim',
  names: ['vim', 'Vim', 'VisionMamba'],
  prefixes: [''],
  anchor: 'patch_embed.weight',
  blockPrefix: (i) => `layers.${i}.`,
  config,
  layer: (c) => ({ mixer: 'vim', attention: null, heads: 1, headDim: c.dInner, causal: false }),
  state: (c) => [matrixState('ssm_fwd', [c.dInner, c.N]), matrixState('ssm_bwd', [c.dInner, c.N])],
  tokens: (_, patches) => {
    const middle = Math.floor(patches / 2);
    return Array.from({ length: patches + 1 }, (_, i) => (i === middle ? 'class' : null));
  },
  embed: (g, c) => {
    const image = pixels(g, c); // [B,C,H,W]
    const [rows, cols] = patchGrid(c);
    const middle = Math.floor((rows * cols) / 2);
    const patches = embedPatches(g, image, c, 'patch_embed', c.dModel); // [B,N,D]
    const [before, after] = [g.slice(patches, 1, 0, middle, 'N/2'), g.slice(patches, 1, middle, Number.MAX_SAFE_INTEGER, 'N/2')];
    const tokens = tokensOf(g, [before as Value, perInput(g, 'cls_token', c.dModel, image), after as Value]);
    return g.add(tokens, g.weight('pos_embed', [rows * cols + 1, c.dModel])); // [B,T,D]
  },
  block,
  outputs: (g, c, x) => {
    const normed = g.probe('ln_final', rmsNorm(g, x, 'norm_f', c.headEps)); // [B,T,D]
    const [rows, cols] = patchGrid(c);
    const pooler = tokenAt(g, normed, Math.floor((rows * cols) / 2)); // [B,D]
    const logits = g.topLinear(pooler, 'head');
    return { last_hidden_state: normed, pooler, ...(logits && { logits }) };
  },
});
