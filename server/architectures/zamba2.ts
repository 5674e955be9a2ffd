import { defineArchitecture } from '../graph/architecture.js';
import { type AttentionSpec, attend, attentionState, splitHeads } from '../graph/blocks/attention.js';
import { gatedNorm, type Mamba2Spec, mamba2Mixer, mamba2State } from '../graph/blocks/mamba2.js';
import { activation, activationNames } from '../graph/blocks/mlp.js';
import { rmsNorm } from '../graph/blocks/norm.js';
import { rope } from '../graph/blocks/rope.js';
import type { ConfigReader } from '../graph/config.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { embed, type LlamaConfig, llamaParts, unembed } from './llama.js';

interface Zamba2Config extends LlamaConfig {
  readonly mamba: Mamba2Spec;
  readonly shared: AttentionSpec;
  /** Layers in front of which a shared Transformer block runs. */
  readonly hybrids: readonly number[];
  /** Shared blocks, which take turns; each is stored where it is first used. */
  readonly sharedBlocks: number;
  readonly adapterRank: number;
}

/** The mixer's own norm has this ε whatever the config says. */
const GATED_EPS = 1e-5;
/** Layers of the 2.7B model, the default of a config that does not say. */
const HYBRIDS = [6, 12, 18, 24, 30, 36, 42, 47, 51];

/** A shared matrix and, where the checkpoint has one, this layer's own low-rank addition `adapter`. */
function adapted(g: SegmentBuilder, c: Zamba2Config, x: Value, [name, adapter]: readonly [string, string], size: number): Value {
  const shared = g.linear(x, name, size);
  if (!g.has(`${adapter}.0.weight`)) return shared;
  return g.add(shared, g.linear(g.linear(x, `${adapter}.0`, c.adapterRank), `${adapter}.1`, size));
}

/** Attention over the residual stream beside the embedding, [B,T,2D] → [B,T,D]. */
function attention(g: SegmentBuilder, c: Zamba2Config, slot: number, x: Value): Value {
  const { heads: H, kvHeads: K, headDim: E } = c.shared;
  const heads = (name: 'q' | 'k' | 'v', n: number) =>
    splitHeads(g, adapted(g, c, x, [`${name}_proj`, `linear_${name}_adapter_list.${slot}`], n * E), n);
  const z = attend(g, c.shared, { q: heads('q', H), k: heads('k', K), v: heads('v', K) });
  return g.probe('attn.out', g.linear(z, 'o_proj', c.dModel));
}

function mlp(g: SegmentBuilder, c: Zamba2Config, slot: number, x: Value): Value {
  const both = adapted(g, c, x, ['gate_up_proj', `gate_up_proj_adapter_list.${slot}`], 2 * c.dFf);
  const [pre, up] = g.split(both, -1, [c.dFf, c.dFf]) as [Value, Value];
  const post = g.probe('mlp.post', g.mul(activation(c.act)(g, g.probe('mlp.pre', pre)), up)); // [B,T,F]
  return g.probe('mlp.out', g.linear(post, 'down_proj', c.dModel)); // [B,T,D]
}

/** A Transformer block without residual connections, of the embedding and the stream side by side; its weights are other layers' too. */
function sharedBlock(g: SegmentBuilder, c: Zamba2Config, x: Value, slot: number): Value {
  const home = c.hybrids[slot % c.sharedBlocks] as number;
  const input = g.concat([x, g.carry('embedding', ['B', 'T', c.dModel])], -1); // [B,T,2D]
  const said = g.elsewhere(`layers.${home}.shared_transformer.`, () => {
    const ln1 = g.probe('ln1', rmsNorm(g, input, 'input_layernorm', c.eps));
    const attended = g.within('', 'self_attn.', () => attention(g, c, slot, ln1));
    const ln2 = g.probe('ln2', rmsNorm(g, attended, 'pre_ff_layernorm', c.eps));
    return g.within('', 'feed_forward.', () => mlp(g, c, slot, ln2));
  });
  return g.probe('shared.out', g.linear(said, 'linear', c.dModel)); // [B,T,D]
}

function mixer(g: SegmentBuilder, c: Zamba2Config, x: Value): Value {
  const normed = g.probe('mixer.ln', rmsNorm(g, x, 'input_layernorm', c.eps));
  const gated = (y: Value, z: Value) => gatedNorm(g, y, z, { groups: c.mamba.groups, eps: GATED_EPS });
  return g.within('', 'mamba.', () => mamba2Mixer(g, c.mamba, normed, { gated }));
}

function mambaOf(raw: ConfigReader, dModel: number): Mamba2Spec {
  const heads = raw.size('n_mamba_heads', 8);
  return {
    heads,
    headDim: raw.divides('n_mamba_heads', heads, raw.size('mamba_expand', 2) * dModel),
    groups: raw.size('mamba_ngroups', 1),
    N: raw.size('mamba_d_state', 64),
    dConv: raw.size('mamba_d_conv', 4),
    deltaRange: [raw.number('time_step_min', 0.001), Number.POSITIVE_INFINITY],
  };
}

function hybridsOf(raw: ConfigReader, layers: number): readonly number[] {
  const types = raw.perLayer('layers_block_type', layers) ?? raw.perLayer('layer_types', layers);
  if (!types) return raw.numbers('hybrid_layer_ids') ?? HYBRIDS.filter((i) => i < layers);
  return types.flatMap((type, i) => (type === 'hybrid' ? [i] : []));
}

/**
 * Zamba2: Glorioso et al. 2024 (arXiv 2411.15242). Mamba-2 all the way; in front of some layers one of a few shared Transformer blocks reads
 * the stream beside the original embedding, and each place adapts it by low-rank maps of its own.
 */
export const zamba2 = defineArchitecture<Zamba2Config>({
  id: 'zamba2',
  names: ['zamba2', 'Zamba2ForCausalLM', 'Zamba2Model'],
  ...llamaParts,
  config: (raw) => {
    const [dModel, layers, heads] = [raw.size('hidden_size'), raw.layers('num_hidden_layers'), raw.size('num_attention_heads')];
    const headDim = raw.divides('num_attention_heads', heads, 2 * dModel);
    const shared: AttentionSpec = {
      heads,
      kvHeads: raw.size('num_key_value_heads', heads),
      headDim,
      scale: (headDim / 2) ** -0.5,
      softcap: null,
      window: null,
      rope: raw.flag('use_mem_rope', false) ? rope(headDim, raw.rope()) : null,
    };
    return {
      layers,
      dModel,
      vocab: raw.size('vocab_size'),
      context: raw.optional('max_position_embeddings'),
      stretches: shared.rope?.stretch?.beyond ?? null,
      eps: raw.number('rms_norm_eps', 1e-5),
      dFf: raw.size('intermediate_size', 4 * dModel),
      act: raw.word('hidden_act', activationNames, 'gelu'),
      attention: [],
      mamba: mambaOf(raw, dModel),
      shared,
      hybrids: hybridsOf(raw, layers),
      sharedBlocks: raw.size('num_mem_blocks', 1),
      adapterRank: raw.size('adapter_rank', 128),
    };
  },
  layer: (c, i) =>
    c.hybrids.includes(i)
      ? { mixer: 'mamba2', attention: c.shared, heads: c.shared.heads, headDim: c.shared.headDim }
      : { mixer: 'mamba2', attention: null, heads: c.mamba.heads, headDim: c.mamba.headDim },
  state: (c, i) => [...(c.hybrids.includes(i) ? attentionState(c.shared) : []), ...mamba2State(c.mamba)],
  carries: (c) => ({ embedding: c.dModel }),
  embed,
  block: (g, c, x, i) => {
    if (i === 0) g.setCarry('embedding', x);
    const slot = c.hybrids.indexOf(i);
    if (slot < 0) return g.add(x, mixer(g, c, x));
    const input = g.add(x, sharedBlock(g, c, x, slot));
    return g.add(
      x,
      g.within('', 'mamba_decoder.', () => mixer(g, c, input)),
    ); // [B,T,D]
  },
  head: (g, c, x) => unembed(g, c, g.probe('ln_final', rmsNorm(g, x, 'final_layernorm', c.eps))),
});
