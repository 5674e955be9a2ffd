import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';

export type Activation = (g: SegmentBuilder, x: Value) => Value;

const activations: Record<string, Activation> = {
  silu: (g, x) => g.silu(x),
  swish: (g, x) => g.silu(x),
  relu: (g, x) => g.relu(x),
  gelu: (g, x) => g.gelu(x, 'none'),
  gelu_new: (g, x) => g.gelu(x, 'tanh'),
  gelu_fast: (g, x) => g.gelu(x, 'tanh'),
  gelu_pytorch_tanh: (g, x) => g.gelu(x, 'tanh'),
  relu2: (g, x) => {
    const y = g.relu(x);
    return g.mul(y, y);
  },
  quick_gelu: (g, x) => g.mul(x, g.sigmoid(g.mul(x, 1.702))),
  tanh: (g, x) => g.tanh(x),
};

/** Activation functions by the names configs use. */
export const activationNames: readonly string[] = Object.keys(activations);
export const activation = (name: string): Activation => activations[name] as Activation;

export interface MlpNames {
  readonly gate: string;
  readonly up: string;
  readonly down: string;
}

/** down(act(gate x) ⊙ up x), probed as `out`. Shazeer 2020. */
export function gatedMlp(
  g: SegmentBuilder,
  x: Value,
  size: number,
  act: Activation,
  names: MlpNames,
  out: 'mlp.out' | 'mlp.shared' = 'mlp.out',
): Value {
  const pre = g.probe('mlp.pre', g.linear(x, names.gate, size)); // [B,T,F]
  const post = g.probe('mlp.post', g.mul(act(g, pre), g.linear(x, names.up, size))); // [B,T,F]
  return g.probe(out, g.linear(post, names.down, x.shape.at(-1) as number)); // [B,T,D]
}

/** The same with gate and up stored as one matrix [2F, D], gate first. */
export function fusedGatedMlp(
  g: SegmentBuilder,
  x: Value,
  size: number,
  act: Activation,
  names: { readonly gateUp: string; readonly down: string },
): Value {
  const [gate, up] = g.split(g.linear(x, names.gateUp, 2 * size), -1, [size, size]) as [Value, Value]; // [B,T,F]
  const post = g.probe('mlp.post', g.mul(act(g, g.probe('mlp.pre', gate)), up));
  return g.probe('mlp.out', g.linear(post, names.down, x.shape.at(-1) as number)); // [B,T,D]
}
