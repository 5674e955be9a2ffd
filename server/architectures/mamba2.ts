import { defineArchitecture } from '../graph/architecture.js';
import { deltaRange, gatedNorm, type Mamba2Spec, mamba2Mixer, mamba2State } from '../graph/blocks/mamba2.js';
import { type MambaBase, mambaBase, mambaParts } from './mamba.js';

interface Mamba2Config extends MambaBase, Mamba2Spec {}

/**
 * Mamba-2: Dao & Gu 2024 (arXiv 2405.21060); official code state-spaces/mamba mamba2_simple.py.
 * H heads of E channels with one decay each, G groups of heads that share B and C, h = state [H,E,N].
 * Differs: transformers does not clamp Δ while it decodes, the official code always does.
 */
export const mamba2 = defineArchitecture<Mamba2Config>({
  id: 'mamba2',
  names: ['mamba2', 'Mamba2ForCausalLM', 'Mamba2Model'],
  ...mambaParts,
  config: (raw) => {
    const base = mambaBase(raw);
    const d = Math.floor(raw.number('expand', 2) * base.dModel);
    const headDim = raw.size('head_dim', 64);
    return {
      ...base,
      headDim,
      heads: raw.size('num_heads', raw.divides('head_dim', headDim, d)),
      groups: raw.size('n_groups', 8),
      N: raw.size('state_size', 128),
      dConv: raw.size('conv_kernel', 4),
      deltaRange: deltaRange(raw),
    };
  },
  layer: (c) => ({ mixer: 'mamba2', attention: null, heads: c.heads, headDim: c.headDim }),
  state: mamba2State,
  block: (g, c, x) => mambaParts.block(g, c, x, (ln1) => mamba2Mixer(g, c, ln1, { gated: (y, z) => gatedNorm(g, y, z, c) })),
});
