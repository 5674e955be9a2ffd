import { defineEncoder, type StackConfig } from '../graph/architecture.js';
import { type EncoderNames, encoderSpec, type PreNormSpec, preNormBlock } from '../graph/blocks/encoderBlock.js';
import { activation, activationNames } from '../graph/blocks/mlp.js';
import { layerNorm } from '../graph/blocks/norm.js';
import { embedPatches, type PatchSpec, patchGrid, perInput, pixels, tokenAt, tokensOf } from '../graph/blocks/patches.js';
import type { ConfigReader } from '../graph/config.js';

/** What vision encoders share. */
export interface VisionConfig extends StackConfig, PreNormSpec, PatchSpec {
  readonly image: PatchSpec['image'];
}

export function visionConfig(raw: ConfigReader, act: string, eps: number): VisionConfig {
  const dModel = raw.size('hidden_size', 768);
  const heads = raw.size('num_attention_heads', 12);
  return {
    dModel,
    layers: raw.layers('num_hidden_layers', 12),
    dFf: raw.size('intermediate_size', 4 * dModel),
    act: activation(raw.word('hidden_act', activationNames, act)),
    eps: raw.number('layer_norm_eps', eps),
    attention: encoderSpec(heads, raw.divides('num_attention_heads', heads, dModel)),
    channels: raw.size('num_channels', 3),
    image: raw.sides('image_size', 224),
    patch: raw.sides('patch_size', 16),
  };
}

/** A layer that attends, with what it takes to describe it. */
export const encoderLayer = ({ attention }: PreNormSpec) =>
  ({ mixer: 'attention', attention, heads: attention.heads, headDim: attention.headDim }) as const;

interface ViTConfig extends VisionConfig {
  readonly pooled: number;
  readonly poolerAct: string;
}

const names: EncoderNames = {
  ln1: 'layernorm_before',
  q: 'attention.attention.query',
  k: 'attention.attention.key',
  v: 'attention.attention.value',
  out: 'attention.output.dense',
  ln2: 'layernorm_after',
  up: 'intermediate.dense',
  down: 'output.dense',
};

/**
 * Vision Transformer: Dosovitskiy et al. 2020 (arXiv 2010.11929); official code google-research/vision_transformer. An image is a row of patches
 * behind a class token, whose last state is what the image is. P = patch side, N = patches.
 */
export const vit = defineEncoder<ViTConfig>({
  id: 'vit',
  names: ['vit', 'ViTModel', 'ViTForImageClassification'],
  prefixes: ['vit.', ''],
  anchor: 'embeddings.patch_embeddings.projection.weight',
  blockPrefix: (i) => `encoder.layer.${i}.`,
  config: (raw) => {
    const vision = visionConfig(raw, 'gelu', 1e-12);
    return {
      ...vision,
      pooled: raw.size('pooler_output_size', vision.dModel),
      poolerAct: raw.word('pooler_act', activationNames, 'tanh'),
    };
  },
  layer: encoderLayer,
  state: () => [],
  tokens: (_, patches) => ['class', ...new Array<null>(patches).fill(null)],
  embed: (g, c) => {
    const image = pixels(g, c); // [B,C,H,W]
    const patches = embedPatches(g, image, c, 'embeddings.patch_embeddings.projection', c.dModel); // [B,N,D]
    const [rows, cols] = patchGrid(c);
    const tokens = tokensOf(g, [perInput(g, 'embeddings.cls_token', c.dModel, image), patches]);
    return g.add(tokens, g.weight('embeddings.position_embeddings', [1, rows * cols + 1, c.dModel])); // [B,T,D]
  },
  block: (g, c, x) => preNormBlock(g, c, x, names),
  outputs: (g, c, x) => {
    const normed = g.probe('ln_final', layerNorm(g, x, 'layernorm', c.eps)); // [B,T,D]
    const first = tokenAt(g, normed, 0); // [B,D]
    const pooler = g.has('pooler.dense.weight') && activation(c.poolerAct)(g, g.linear(first, 'pooler.dense', c.pooled));
    const logits = g.topLinear(first, 'classifier');
    return { last_hidden_state: normed, ...(pooler && { pooler }), ...(logits && { logits }) };
  },
});
