import type { CoreConfig } from '../graph/architecture.js';
import { activation, gatedMlp } from '../graph/blocks/mlp.js';
import { rmsNorm } from '../graph/blocks/norm.js';
import type { ConfigReader } from '../graph/config.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { MLP } from './llama.js';

/** What the references of papers that propose a mixer put around it: x + mixer(norm x), then x + SwiGLU(norm x). */
export interface PreNormConfig extends CoreConfig {
  readonly eps: number;
  readonly dFf: number;
}

export const preNormConfig = (raw: ConfigReader): PreNormConfig => ({
  dModel: raw.size('hidden_size'),
  layers: raw.layers('num_hidden_layers'),
  vocab: raw.size('vocab_size'),
  context: raw.optional('max_position_embeddings'),
  eps: raw.number('rms_norm_eps', 1e-6),
  dFf: raw.size('intermediate_size'),
});

export const preNormParts = {
  prefixes: ['model.', ''],
  anchor: 'embed.weight',
  blockPrefix: (i: number) => `layers.${i}.`,
  embed: (g: SegmentBuilder, c: CoreConfig): Value => g.gather(g.weight('embed.weight', [c.vocab, c.dModel]), g.tokens), // [B,T,D]
  block: (g: SegmentBuilder, c: PreNormConfig, x: Value, mixer: (ln1: Value) => Value): Value => {
    const ln1 = g.probe('ln1', rmsNorm(g, x, 'norm1', c.eps));
    const mixed = g.within('', 'mixer.', () => mixer(ln1));
    const mid = g.probe('resid_mid', g.add(x, mixed));
    const ln2 = g.probe('ln2', rmsNorm(g, mid, 'norm2', c.eps));
    const out = g.within('', 'mlp.', () => gatedMlp(g, ln2, c.dFf, activation('silu'), MLP));
    return g.add(mid, out); // [B,T,D]
  },
  head: (g: SegmentBuilder, c: CoreConfig & { readonly eps: number }, x: Value): Value => {
    const normed = g.probe('ln_final', rmsNorm(g, x, 'norm', c.eps));
    const own = g.topWeight(['lm_head.weight'], [c.vocab, c.dModel]);
    return g.matmul(normed, own ?? g.weight('embed.weight', [c.vocab, c.dModel]), { transB: true }); // [B,T,V]
  },
};
