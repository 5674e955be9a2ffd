import { mamba } from './mamba.js';
import type { Mixer, Stretch } from './mixer.js';

/** Zhu et al. 2024, Alg. 1: Mamba's update with the parameters of one direction. */
function direction(name: 'fwd' | 'bwd'): Mixer {
  const own = (probe: string) => `${probe}_${name}`;
  const renamed =
    (stretch: Stretch): Stretch =>
    (probe) =>
      stretch(own(probe));
  const [earlier, later] = name === 'fwd' ? ['t−1', 't'] : ['t+1', 't'];
  return {
    ...mamba,
    state: `ssm_${name}`,
    backwards: name === 'bwd',
    update: `h_${later} = exp(Δ_t A) ⊙ h_{${earlier}} + (Δ_t x_t) B_tᵀ`,
    updateProbes: mamba.updateProbes.map(own),
    stepProbes: mamba.stepProbes.map(own),
    decay: (stretch, place) => mamba.decay(renamed(stretch), place),
    write: (stretch, place) => mamba.write(renamed(stretch), place),
    identity: mamba.identity && {
      ...mamba.identity,
      sides: (stretch, place, change) =>
        (mamba.identity as NonNullable<Mixer['identity']>).sides(renamed(stretch), place, change),
    },
  };
}

export const [forwards, backwards] = [direction('fwd'), direction('bwd')] as const;
