import { filled, type Mixer, ofHead, outer, type Place, type Stretch, scaled, timesTransposed } from './mixer.js';

/** A matrix of the inner model or its bias: which probes its gradient is the outer product of (a bias has no input), and what reads it. */
interface Learned {
  readonly state: string;
  readonly gradient: string;
  readonly letter: string;
  readonly input: string | null;
  readonly error: string;
  /** Query and result of y = Wᵀ·q + b. */
  readonly read: { readonly query: string; readonly result: string; readonly bias: string; readonly formula: string } | null;
}

const one = (stretch: Stretch, name: string, place: Place): number => stretch(name).data[place.token] as number;

/** η G of the token's own. */
function ownStep({ input, error }: Learned, stretch: Stretch, place: Place): Float32Array {
  const eta = ofHead(stretch('mixer.eta'), place)[0] as number;
  const back = scaled(ofHead(stretch(error), place), eta);
  return input === null ? back : outer(ofHead(stretch(input), place), back);
}

/** Sun et al. 2024 (TTT), eq. 6: gradients of a mini-batch are taken where it began, and the further it goes, the shorter the step. */
function weights(learned: Learned): Mixer {
  const { state, gradient, letter, input, error, read } = learned;
  const sum = `state.${gradient}`;
  return {
    state,
    rowName: input === null ? 'bias' : 'input',
    colName: 'output',
    update: `${letter}_t = ${letter}_{t−1} − (ρ_t − ρ_{t−1}) Σ_{j<t} η_j G_j − ρ_t η_t G_t`,
    decays: 'row',
    updateProbes: ['mixer.eta', 'mixer.rate', error, ...(input === null ? [] : [input])],
    stepProbes: ['mixer.rate_before', sum, ...(read ? [read.query, read.result, read.bias] : [])],
    decay: (_, place) => filled(place.rows * place.cols, 1),
    write: (stretch, place) => scaled(ownStep(learned, stretch, place), -one(stretch, 'mixer.rate', place)),
    removal: (stretch, place) => {
      const change = one(stretch, 'mixer.rate', place) - one(stretch, 'mixer.rate_before', place);
      const own = ownStep(learned, stretch, place);
      return ofHead(stretch(sum), place).map((value, i) => change * (value - (own[i] as number)));
    },
    identity: read && {
      formula: read.formula,
      sides: (stretch, place, { after }) => {
        const bias = ofHead(stretch(read.bias), place);
        return {
          left: ofHead(stretch(read.result), place).map((value, i) => value - (bias[i] as number)),
          right: timesTransposed(after, ofHead(stretch(read.query), place)),
        };
      },
    },
  };
}

function gradients(learned: Learned): Mixer {
  const { gradient, letter, input, error } = learned;
  return {
    state: gradient,
    rowName: input === null ? 'bias' : 'input',
    colName: 'output',
    update: `A_t = A_{t−1} + η_t G_t, from 0 in each mini-batch; G = ∂loss/∂${letter}`,
    decays: 'row',
    updateProbes: ['mixer.eta', 'mixer.keep', error, ...(input === null ? [] : [input])],
    stepProbes: [],
    decay: (stretch, place) => filled(place.rows * place.cols, one(stretch, 'mixer.keep', place)),
    write: (stretch, place) => ownStep(learned, stretch, place),
    removal: null,
    identity: null, // the output reads the weights
  };
}

type Mixers = readonly [Mixer, ...Mixer[]];
const both = (learned: readonly Learned[]): Mixers => [...learned.map(weights), ...learned.map(gradients)] as unknown as Mixers;

const [outside, inside] = ['mixer.grad', 'mixer.grad_hidden'];
const reads = (query: string, result: string, bias: string, formula: string) => ({
  query,
  result,
  bias: `state.${bias}`,
  formula,
});

export const tttLinear = both([
  {
    state: 'fast_weights',
    gradient: 'grad_weights',
    letter: 'W',
    input: 'mixer.k',
    error: outside,
    read: reads('mixer.q', 'mixer.y', 'fast_bias', 'y − b = Wᵀ·q'),
  },
  { state: 'fast_bias', gradient: 'grad_bias', letter: 'b', input: null, error: outside, read: null },
]);

export const tttMlp = both([
  {
    state: 'fast_weights',
    gradient: 'grad_weights',
    letter: 'W₁',
    input: 'mixer.k',
    error: inside,
    read: reads('mixer.q', 'mixer.pre', 'fast_bias', 'h − b₁ = W₁ᵀ·q'),
  },
  { state: 'fast_bias', gradient: 'grad_bias', letter: 'b₁', input: null, error: inside, read: null },
  {
    state: 'fast_weights_2',
    gradient: 'grad_weights_2',
    letter: 'W₂',
    input: 'mixer.hidden',
    error: outside,
    read: reads('mixer.post', 'mixer.y', 'fast_bias_2', 'y − b₂ = W₂ᵀ·gelu(h)'),
  },
  { state: 'fast_bias_2', gradient: 'grad_bias_2', letter: 'b₂', input: null, error: outside, read: null },
]);
