import { defineArchitecture } from '../graph/architecture.js';
import type { AttentionSpec } from '../graph/blocks/attention.js';
import { rope } from '../graph/blocks/rope.js';
import { type SparseSpec, sparseAttention, sparseState } from '../graph/blocks/sparseAttention.js';
import { type PreNormConfig, preNormConfig, preNormParts } from './preNorm.js';

interface NsaConfig extends PreNormConfig {
  readonly sparse: SparseSpec;
}

/** What a person redoes a cell by: that of the selected tokens. */
const attention = ({ heads, kvHeads, headDim, rope: turn }: SparseSpec): AttentionSpec => ({
  heads,
  kvHeads,
  headDim,
  scale: headDim ** -0.5,
  softcap: null,
  window: null,
  rope: turn,
  selects: true,
  part: 'One of three branches, whose outputs gates weigh: full weights inside the blocks of keys that a query selects. What it reads of compressed blocks and of the window is in the graph: attn.cmp.pattern, attn.win.pattern.',
});

/**
 * NSA: Yuan et al. 2025 (arXiv 2502.11089); no official code, Triton by fla-org/native-sparse-attention. Attention in three branches, cmp
 * (compressed blocks), slc (selected blocks) and win (a window), each with keys and values of its own; φ compresses the rows of a block into one.
 */
export const nsa = defineArchitecture<NsaConfig>({
  id: 'nsa',
  names: ['nsa', 'NSAForCausalLM', 'NSAModel'],
  ...preNormParts,
  config: (raw) => {
    const base = preNormConfig(raw);
    const heads = raw.size('num_attention_heads');
    const kvHeads = raw.size('num_key_value_heads', heads);
    raw.divides('num_key_value_heads', kvHeads, heads);
    const headDim = raw.size('head_dim', () => raw.divides('num_attention_heads', heads, base.dModel));
    return {
      ...base,
      sparse: {
        heads,
        kvHeads,
        headDim,
        rope: rope(headDim, raw.rope()),
        block: raw.size('block_len', 32),
        stride: raw.size('block_stride', 16),
        selectBlock: raw.size('select_block', 64),
        selected: raw.size('num_selected', 16),
        window: raw.size('window', 512),
      },
    };
  },
  layer: ({ sparse }) => ({
    mixer: 'attention',
    attention: attention(sparse),
    heads: sparse.heads,
    headDim: sparse.headDim,
  }),
  state: ({ sparse }) => sparseState(sparse),
  block: (g, c, x) => preNormParts.block(g, c, x, (ln1) => sparseAttention(g, c.sparse, ln1)),
});
