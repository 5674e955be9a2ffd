/** What neither shapes nor keys say of a model, and only who knows the family can. */
export interface Known {
  /** Pairs that RoPE turns are neighbours. */
  readonly interleaved?: boolean;
  /** Norms store their gain minus one. */
  readonly offset?: number;
  /** The embedding is scaled by √D. */
  readonly scaledEmbedding?: boolean;
  readonly norm?: 'rms' | 'layer';
  /** LayerNorms before each half have neither weights nor biases, and this ε. */
  readonly weightless?: number;
  /** q·k times this, when no key says it. */
  readonly scale?: number;
  /** Whether layers that see everything turn where others slide. */
  readonly fullLayersTurn?: boolean;
  /** How the rows of one matrix for q, k and v lie. */
  readonly mixed?: 'stacked' | 'heads' | 'groups';
  /** ε of the norms when no key says it. */
  readonly eps?: number;
  /** θ of RoPE when no key says it. */
  readonly theta?: number;
  /** "gelu" has always meant its approximation by tanh. */
  readonly tanhGelu?: boolean;
  /** Of an MLP, when no key says it. */
  readonly act?: string;
  /** Of so many layers the last sees everything, when there is a window and no key says which. */
  readonly period?: number;
  /** Of so many layers the last does not turn, when no key says which. */
  readonly quietEvery?: number;
  /** Whether `logit_scale` multiplies logits or divides them; absent: that it multiplies is known. */
  readonly logits?: 'times' | 'over';
  /** Whether the weights of the chosen experts are divided by their sum, when no key says it. */
  readonly normalisesExperts?: boolean;
  /** Keys whose absence would mean a number other than none. */
  readonly requires?: readonly string[];
  /** First row of the learned positions that is used. */
  readonly positionOffset?: number;
  /** There are no positions at all, or others than learned ones and RoPE. */
  readonly refused?: string;
}
