import { defineArchitecture } from '../graph/architecture.js';
import { mambaMixer, mambaState } from '../graph/blocks/mamba.js';
import { plainRmsNorm } from '../graph/blocks/norm.js';
import { type MambaConfig, mambaConfig, mambaParts } from './mamba.js';

interface FalconMambaConfig extends MambaConfig {
  readonly mixerEps: number;
}

/**
 * Falcon Mamba: Zuo et al. 2024 (arXiv 2410.05355). Mamba with an RMS norm, without weights, on Δ's low-rank input, B and C, which keeps
 * training stable.
 */
export const falconMamba = defineArchitecture<FalconMambaConfig>({
  id: 'falcon_mamba',
  names: ['falcon_mamba', 'FalconMambaForCausalLM', 'FalconMambaModel'],
  ...mambaParts,
  config: (raw) => ({ ...mambaConfig(raw), mixerEps: raw.number('mixer_rms_eps', 1e-6) }),
  layer: (c) => ({ mixer: 'mamba', attention: null, heads: 1, headDim: c.dInner }),
  state: mambaState,
  block: (g, c, x) => mambaParts.block(g, c, x, (ln1) => mambaMixer(g, c, ln1, (v) => plainRmsNorm(g, v, c.mixerEps))),
});
