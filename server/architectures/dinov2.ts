import { defineEncoder, type Encoder } from '../graph/architecture.js';
import { encoderAttention, plainMlp } from '../graph/blocks/encoderBlock.js';
import { layerNorm } from '../graph/blocks/norm.js';
import {
  embedPatches,
  type PatchSpec,
  patchGrid,
  perInput,
  pixels,
  sidePatches,
  tokenAt,
  tokensOf,
} from '../graph/blocks/patches.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { encoderLayer, type VisionConfig, visionConfig } from './vit.js';

interface Dinov2Config extends VisionConfig {
  readonly swiglu: boolean;
  /** Tokens that stand for nothing, between the class and the patches: R. */
  readonly registers: number;
}

const attention = {
  q: 'attention.attention.query',
  k: 'attention.attention.key',
  v: 'attention.attention.value',
  out: 'attention.output.dense',
};

/** Learned for one grid, resampled to that of this image: [1,1+N,D] → [1,T,D]. */
function positions(g: SegmentBuilder, spec: PatchSpec, image: Value, D: number, antialias: boolean): Value {
  const [rows, cols] = patchGrid(spec);
  const learned = g.weight('embeddings.position_embeddings', [1, rows * cols + 1, D]);
  const grid = g.transpose(g.reshape(g.slice(learned, 1, 1, Number.MAX_SAFE_INTEGER), 1, rows, cols, D), 0, 3, 1, 2);
  const counts = [2, 3].map((axis) => sidePatches(g, image, axis, spec.patch[axis - 2] as number));
  const sizes = g.concat([g.ints(1, D), ...counts], 0);
  const resized = g.resizeCubic(grid, sizes, [1, D, 'rows', 'cols'], antialias); // [1,D,rows,cols]
  const flat = g.transpose(g.op('Reshape', [resized, g.ints(1, D, -1)], [1, D, 'N']), 0, 2, 1);
  return g.concat([g.slice(learned, 1, 0, 1), flat], 1);
}

/** W_down(silu(W_gate x) ⊙ W_up x), gate and up in one matrix. Differs: two thirds as wide as the plain MLP, rounded up to eights. */
function swiglu(g: SegmentBuilder, c: Dinov2Config, x: Value): Value {
  const size = Math.ceil(Math.floor((c.dFf * 2) / 3) / 8) * 8;
  const [gate, up] = g.split(g.linear(x, 'mlp.weights_in', 2 * size), -1, [size, size]) as [Value, Value];
  const post = g.probe('mlp.post', g.mul(g.silu(g.probe('mlp.pre', gate)), up)); // [B,T,F]
  return g.probe('mlp.out', g.linear(post, 'mlp.weights_out', c.dModel));
}

function block(g: SegmentBuilder, c: Dinov2Config, x: Value): Value {
  const scaled = (y: Value, name: string) => g.mul(y, g.weight(`${name}.lambda1`, [c.dModel]));
  const ln1 = g.probe('ln1', layerNorm(g, x, 'norm1', c.eps));
  const mid = g.probe('resid_mid', g.add(x, scaled(encoderAttention(g, c.attention, ln1, attention), 'layer_scale1')));
  const ln2 = g.probe('ln2', layerNorm(g, mid, 'norm2', c.eps));
  const out = c.swiglu ? swiglu(g, c, ln2) : plainMlp(g, ln2, c.dFf, c.act, { up: 'mlp.fc1', down: 'mlp.fc2' });
  return g.add(mid, scaled(out, 'layer_scale2')); // [B,T,D]
}

const family = (id: string, names: readonly string[], withRegisters: boolean): Encoder =>
  defineEncoder<Dinov2Config>({
    id,
    names,
    prefixes: [`${id}.`, ''],
    anchor: 'embeddings.patch_embeddings.projection.weight',
    blockPrefix: (i) => `encoder.layer.${i}.`,
    config: (raw) => {
      const vision = visionConfig(raw, 'gelu', 1e-6);
      return {
        ...vision,
        dFf: Math.floor(vision.dModel * raw.number('mlp_ratio', 4)),
        swiglu: raw.flag('use_swiglu_ffn', false),
        registers: withRegisters ? raw.size('num_register_tokens', 4) : 0,
      };
    },
    layer: encoderLayer,
    state: () => [],
    tokens: ({ registers }, patches) => [
      'class',
      ...Array.from({ length: registers }, (_, i) => `register ${i}`),
      ...new Array<null>(patches).fill(null),
    ],
    embed: (g, c) => {
      const image = pixels(g, c, true); // [B,C,H,W]
      const patches = embedPatches(g, image, c, 'embeddings.patch_embeddings.projection', c.dModel);
      const tokens = g.concat([perInput(g, 'embeddings.cls_token', c.dModel, image), patches], 1);
      const placed = g.add(tokens, positions(g, c, image, c.dModel, withRegisters)); // [B,1+N,D]
      if (!withRegisters) return tokensOf(g, [placed]);
      const registers = perInput(g, 'embeddings.register_tokens', c.dModel, image, c.registers); // [B,R,D]
      return tokensOf(g, [g.slice(placed, 1, 0, 1), registers, g.slice(placed, 1, 1, Number.MAX_SAFE_INTEGER, 'N')]); // [B,T,D]
    },
    block,
    outputs: (g, c, x) => {
      const normed = g.probe('ln_final', layerNorm(g, x, 'layernorm', c.eps)); // [B,T,D]
      const pooler = tokenAt(g, normed, 0); // [B,D]
      const patches = g.slice(normed, 1, 1 + c.registers, Number.MAX_SAFE_INTEGER, 'N');
      const mean = g.squeeze(g.reduceMean(patches, 1), 1);
      const logits = g.topLinear(g.concat([pooler, mean], -1), 'classifier');
      return { last_hidden_state: normed, pooler, ...(logits && { logits }) };
    },
  });

/**
 * DINOv2: Oquab et al. 2023 (arXiv 2304.07193); official code facebookresearch/dinov2. A ViT that scales what each layer adds, feature by feature,
 * and takes images of any size: its positions are resampled.
 */
export const dinov2 = family('dinov2', ['dinov2', 'Dinov2Model', 'Dinov2ForImageClassification'], false);

/**
 * Darcet et al. 2023 (arXiv 2309.16588): tokens for the model's own use beside class and patches.
 * Differs: positions are resampled with smoothing, as Pillow does.
 */
export const dinov2WithRegisters = family(
  'dinov2_with_registers',
  ['dinov2_with_registers', 'Dinov2WithRegistersModel', 'Dinov2WithRegistersForImageClassification'],
  true,
);
