import { defineEncoder, type StackConfig, type Towers } from '../graph/architecture.js';
import { padding, tokenOrder } from '../graph/blocks/attendAll.js';
import { type EncoderNames, encoderSpec, type PreNormSpec, preNormBlock } from '../graph/blocks/encoderBlock.js';
import { activation, activationNames } from '../graph/blocks/mlp.js';
import { layerNorm } from '../graph/blocks/norm.js';
import { embedPatches, patchGrid, perInput, pixels, tokenAt, tokensOf } from '../graph/blocks/patches.js';
import type { ConfigReader } from '../graph/config.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { encoderLayer, type VisionConfig, visionConfig } from './vit.js';

/** How CLIP and its kind name the weights of a block. */
export const clipBlock: EncoderNames = {
  ln1: 'layer_norm1',
  q: 'self_attn.q_proj',
  k: 'self_attn.k_proj',
  v: 'self_attn.v_proj',
  out: 'self_attn.out_proj',
  ln2: 'layer_norm2',
  up: 'mlp.fc1',
  down: 'mlp.fc2',
};
export const clipPrefix = (i: number): string => `encoder.layers.${i}.`;

/** x / ‖x‖ over the last axis. */
export const unit = (g: SegmentBuilder, x: Value): Value =>
  g.div(x, g.op('Sqrt', [g.reduceSum(g.mul(x, x), -1)], [x.shape[0] ?? 1, 1]));

/** Cosines of all images and all texts, scaled by e^`logit_scale`: [images, texts]. */
export const similarity = (g: SegmentBuilder, image: Value, text: Value): Value =>
  g.mul(g.matmul(image, text, { transB: true }), g.exp(g.weight('logit_scale', [])));

export interface TextConfig extends StackConfig, PreNormSpec {
  readonly vocab: number;
  readonly limit: number;
  /** The token at which a text ends. */
  readonly eos: number;
}

export function textConfig(
  raw: ConfigReader,
  causal: boolean,
  act: string,
  eps: number,
  positions: number,
  vocab: number,
): TextConfig {
  const dModel = raw.size('hidden_size', 512);
  const heads = raw.size('num_attention_heads', 8);
  return {
    dModel,
    layers: raw.layers('num_hidden_layers', 12),
    dFf: raw.size('intermediate_size', 4 * dModel),
    act: activation(raw.word('hidden_act', activationNames, act)),
    eps: raw.number('layer_norm_eps', eps),
    attention: encoderSpec(heads, raw.divides('num_attention_heads', heads, dModel), causal),
    vocab: raw.size('vocab_size', vocab),
    limit: raw.size('max_position_embeddings', positions),
    eos: raw.number('eos_token_id', 49407),
  };
}

/** Words as ids, i64 [B,T]; filled up to `padTo` tokens when the model was trained so. */
export const inputIds = (g: SegmentBuilder, vocab: number, padTo: number | null = null): Value =>
  g.given('input_ids', 'i64', ['B', 'T'], { below: vocab, padTo });

/** Word and position: [B,T,D]. */
export const embedText = (g: SegmentBuilder, c: TextConfig, padTo: number | null = null): Value => {
  const ids = inputIds(g, c.vocab, padTo);
  const words = g.gather(g.weight('embeddings.token_embedding.weight', [c.vocab, c.dModel]), ids);
  return g.add(words, g.gather(g.weight('embeddings.position_embedding.weight', [c.limit, c.dModel]), tokenOrder(g, ids)));
};

/**
 * The state at the first end-of-text token, the token of the largest id in old configs, whose `eos_token_id` is 2 by mistake: [B,T,D] → [B,D].
 */
function atEnd(g: SegmentBuilder, c: TextConfig, x: Value): Value {
  const ids = inputIds(g, c.vocab);
  const height = c.eos === 2 ? ids : g.equal(ids, g.constant(BigInt64Array.of(BigInt(c.eos)), []));
  const first = g.ops('TopK', [g.cast(height, 'f32'), g.ints(1)], [{ shape: ['B', 1] }, { shape: ['B', 1], dtype: 'i64' }], {
    axis: -1,
  })[1] as Value; // [B,1]
  const chosen = g.cast(g.equal(tokenOrder(g, ids), first), 'f32'); // [B,T]
  return g.squeeze(g.matmul(g.unsqueeze(chosen, 1), x), 1);
}

const vision = defineEncoder<VisionConfig>({
  id: 'clip_vision',
  names: ['clip_vision_model', 'CLIPVisionModel', 'CLIPVisionModelWithProjection', 'CLIPForImageClassification'],
  prefixes: ['vision_model.', ''],
  anchor: 'embeddings.class_embedding',
  blockPrefix: clipPrefix,
  config: (raw) => visionConfig(raw, 'quick_gelu', 1e-5),
  layer: encoderLayer,
  state: () => [],
  tokens: (_, patches) => ['class', ...new Array<null>(patches).fill(null)],
  embed: (g, c) => {
    const image = pixels(g, c); // [B,C,H,W]
    const patches = embedPatches(g, image, c, 'embeddings.patch_embedding', c.dModel); // [B,N,D]
    const tokens = tokensOf(g, [perInput(g, 'embeddings.class_embedding', c.dModel, image), patches]);
    const [rows, cols] = patchGrid(c);
    const placed = g.add(tokens, g.weight('embeddings.position_embedding.weight', [rows * cols + 1, c.dModel]));
    return layerNorm(g, placed, 'pre_layrnorm', c.eps); // [B,T,D]
  },
  block: (g, c, x) => preNormBlock(g, c, x, clipBlock),
  outputs: (g, c, x) => {
    const pooler = g.probe('ln_final', layerNorm(g, tokenAt(g, x, 0), 'post_layernorm', c.eps)); // [B,D]
    const image_embeds = g.topLinear(pooler, 'visual_projection');
    const mean = g.squeeze(g.reduceMean(g.slice(x, 1, 1, Number.MAX_SAFE_INTEGER, 'N'), 1), 1);
    const logits = g.topLinear(mean, 'classifier');
    return { last_hidden_state: x, pooler, ...(image_embeds && { image_embeds }), ...(logits && { logits }) };
  },
});

const text = defineEncoder<TextConfig>({
  id: 'clip_text',
  names: ['clip_text_model', 'CLIPTextModel', 'CLIPTextModelWithProjection'],
  prefixes: ['text_model.', ''],
  anchor: 'embeddings.token_embedding.weight',
  blockPrefix: clipPrefix,
  config: (raw) => textConfig(raw, true, 'quick_gelu', 1e-5, 77, 49408),
  layer: encoderLayer,
  state: () => [],
  embed: embedText,
  block: (g, c, x) => preNormBlock(g, c, x, clipBlock, padding(g)),
  outputs: (g, c, x) => {
    const normed = g.probe('ln_final', layerNorm(g, x, 'final_layer_norm', c.eps)); // [B,T,D]
    const pooler = atEnd(g, c, normed); // [B,D]
    const text_embeds = g.topLinear(pooler, 'text_projection');
    return { last_hidden_state: normed, pooler, ...(text_embeds && { text_embeds }) };
  },
});

/**
 * CLIP: Radford et al. 2021 (arXiv 2103.00020), fig. 3; official code openai/CLIP. An image and a text, each read by a Transformer of its own, meet in
 * one space: the cosine of the two says how well they fit. The text tower looks back only and is read at its end.
 */
export const clip: Towers = {
  id: 'clip',
  names: ['clip', 'CLIPModel'],
  towers: { vision: { key: 'vision_config', encoder: vision }, text: { key: 'text_config', encoder: text } },
  pairs: 'softmax',
  join: (g, output) => {
    const image_embeds = unit(g, output('vision', 'image_embeds')); // [images,P]
    const text_embeds = unit(g, output('text', 'text_embeds')); // [texts,P]
    const logits_per_image = similarity(g, image_embeds, text_embeds); // [images,texts]
    return { image_embeds, text_embeds, logits_per_image, logits_per_text: g.transpose(logits_per_image, 1, 0) };
  },
};
