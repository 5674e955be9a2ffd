import { defineEncoder, type Towers } from '../graph/architecture.js';
import { padding } from '../graph/blocks/attendAll.js';
import { splitHeads } from '../graph/blocks/attention.js';
import { preNormBlock } from '../graph/blocks/encoderBlock.js';
import { layerNorm } from '../graph/blocks/norm.js';
import { embedPatches, patchGrid, perInput, pixels, tokenAt, tokensOf } from '../graph/blocks/patches.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { clipBlock, clipPrefix, embedText, similarity, type TextConfig, textConfig, unit } from './clip.js';
import { encoderLayer, type VisionConfig, visionConfig } from './vit.js';

/** Attention of one learned query to all patches, then an MLP (Zhai et al. 2022, MAP head): [B,T,D] → [B,D]. */
function poolByAttention(g: SegmentBuilder, c: VisionConfig, x: Value): Value {
  const { heads, scale } = c.attention;
  const D = c.dModel;
  const weight = g.weight('head.attention.in_proj_weight', [3 * D, D]);
  const bias = g.weight('head.attention.in_proj_bias', [3 * D]);
  const project = (from: Value, part: number) => {
    const rows = (all: Value) => g.slice(all, 0, part * D, (part + 1) * D);
    return splitHeads(g, g.add(g.matmul(from, rows(weight), { transB: true }), rows(bias)), heads); // [B,H,·,E]
  };
  const query = project(perInput(g, 'head.probe', D, x), 0); // [B,H,1,E]
  const pattern = g.probe('head.pattern', g.softmax(g.matmul(query, project(x, 1), { transB: true, alpha: scale }))); // [B,H,1,T]
  const z = g.reshape(g.transpose(g.matmul(pattern, project(x, 2)), 0, 2, 1, 3), 0, 1, D); // [B,1,D]
  const read = g.linear(z, 'head.attention.out_proj', D);
  const hidden = c.act(g, g.linear(layerNorm(g, read, 'head.layernorm', c.eps), 'head.mlp.fc1', c.dFf));
  return g.squeeze(g.add(read, g.linear(hidden, 'head.mlp.fc2', D)), 1); // [B,D]
}

const vision = defineEncoder<VisionConfig>({
  id: 'siglip_vision',
  names: ['siglip_vision_model', 'SiglipVisionModel', 'SiglipForImageClassification'],
  prefixes: ['vision_model.', ''],
  anchor: 'embeddings.patch_embedding.weight',
  blockPrefix: clipPrefix,
  config: (raw) => visionConfig(raw, 'gelu_pytorch_tanh', 1e-6),
  layer: encoderLayer,
  state: () => [],
  tokens: (_, patches) => new Array<null>(patches).fill(null),
  embed: (g, c) => {
    const patches = tokensOf(g, [embedPatches(g, pixels(g, c), c, 'embeddings.patch_embedding', c.dModel)]);
    const [rows, cols] = patchGrid(c);
    return g.add(patches, g.weight('embeddings.position_embedding.weight', [rows * cols, c.dModel])); // [B,T,D]
  },
  block: (g, c, x) => preNormBlock(g, c, x, clipBlock),
  outputs: (g, c, x) => {
    const normed = g.probe('ln_final', layerNorm(g, x, 'post_layernorm', c.eps)); // [B,T,D]
    const pooler = g.has('head.probe') && poolByAttention(g, c, normed); // [B,D]
    const logits = g.topLinear(g.squeeze(g.reduceMean(normed, 1), 1), 'classifier');
    return { last_hidden_state: normed, ...(pooler && { pooler }), ...(logits && { logits }) };
  },
});

const text = defineEncoder<TextConfig>({
  id: 'siglip_text',
  names: ['siglip_text_model', 'SiglipTextModel'],
  prefixes: ['text_model.', ''],
  anchor: 'embeddings.token_embedding.weight',
  blockPrefix: clipPrefix,
  config: (raw) => textConfig(raw, false, 'gelu_pytorch_tanh', 1e-6, 64, 32000),
  layer: encoderLayer,
  state: () => [],
  embed: (g, c) => embedText(g, c, c.limit),
  block: (g, c, x) => preNormBlock(g, c, x, clipBlock, padding(g)),
  outputs: (g, c, x) => {
    const normed = g.probe('ln_final', layerNorm(g, x, 'final_layer_norm', c.eps)); // [B,T,D]
    const size = g.stored('head.weight')?.[0] ?? c.dModel;
    return { last_hidden_state: normed, pooler: g.linear(tokenAt(g, normed, -1), 'head', size) };
  },
});

/**
 * SigLIP: Zhai et al. 2023 (arXiv 2303.15343); official code google-research/big_vision. CLIP with a sigmoid for each pair, and so with a bias; the
 * vision tower has no class token and pools by attention, the text tower sees all tokens and is read at the last, which may be padding.
 */
export const siglip: Towers = {
  id: 'siglip',
  names: ['siglip', 'SiglipModel'],
  towers: { vision: { key: 'vision_config', encoder: vision }, text: { key: 'text_config', encoder: text } },
  pairs: 'sigmoid',
  join: (g, output) => {
    const image_embeds = unit(g, output('vision', 'pooler')); // [images,P]
    const text_embeds = unit(g, output('text', 'pooler')); // [texts,P]
    const logits_per_image = g.add(similarity(g, image_embeds, text_embeds), g.weight('logit_bias', [])); // [images,texts]
    return { image_embeds, text_embeds, logits_per_image, logits_per_text: g.transpose(logits_per_image, 1, 0) };
  },
};
