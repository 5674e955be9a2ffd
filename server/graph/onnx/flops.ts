import { sizeOf } from '../../tensor/tensor.js';
import type { Attribute, Node, Value } from '../ir.js';
import { operators } from '../operators.js';

/** Sizes of a value of which all are known. Throws RangeError else: they follow from numbers that only a run makes. */
export function knownShape({ name, shape }: Value): readonly number[] {
  if (shape.every((size) => typeof size === 'number')) return shape;
  throw new RangeError(`${name} is [${shape.join(', ')}]`);
}

const size = (value: Value | null | undefined): number => (value ? sizeOf(knownShape(value)) : 0);
const last = (value: Value | null | undefined, from = 1): number => (value ? (knownShape(value).at(-from) ?? 1) : 0);
const number = (attribute: Attribute | undefined, otherwise: number): number =>
  typeof attribute === 'number' ? attribute : otherwise;

const byRows: Product = ({ inputs: [a], outputs: [y], attributes }) =>
  2 * size(y) * last(a, number(attributes.transA, 0) === 0 ? 1 : 2);
const byWindows =
  (weight: number): Product =>
  ({ inputs, outputs: [y] }) =>
    (2 * size(y) * size(inputs[weight])) / (knownShape(inputs[weight] as Value)[0] ?? 1);
/** Both products of every step: with the input and with the state. */
const stepped: Product = ({ inputs: [x, w, r] }) => (2 * size(x) * (size(w) + size(r))) / Math.max(1, last(x));

/** q·kᵀ and pattern·v, and for one that projects as well that product. */
const attends: Product = ({ op, inputs: [x, second], outputs: [y, kept] }) => {
  const projects = op === 'Attention' && second?.shape.length === 2;
  const own = projects ? 2 * size(x) * last(second) : 0;
  // what is kept has a row for every token; without a cache the keys are all there are
  const rows = kept && kept.name !== '' && kept.shape.length >= 4 ? last(kept, 2) : last(projects ? x : (second ?? x), 2);
  return own + 4 * size(y) * rows;
};

/** The product of all axes that its letters name. */
const summed: Product = ({ inputs, attributes }) => {
  const terms = String(attributes.equation ?? '')
    .split('->')[0]
    ?.replaceAll(' ', '')
    .split(',');
  const letters = new Map<string, number>();
  for (const [i, term] of (terms ?? []).entries())
    for (const [axis, letter] of [...term].entries()) letters.set(letter, knownShape(inputs[i] as Value)[axis] ?? 1);
  return 2 * [...letters.values()].reduce((n, d) => n * d, 1);
};

type Product = (node: Node) => number;

/** Operations of products, by operator: 2 for each multiplication and its addition. */
const products: Readonly<Record<string, Product>> = {
  MatMul: byRows,
  FusedMatMul: byRows,
  MatMulInteger: byRows,
  MatMulIntegerToFloat: byRows,
  DynamicQuantizeMatMul: byRows,
  QLinearMatMul: byRows,
  Gemm: byRows,
  FusedGemm: byRows,
  QGemm: byRows,
  MatMulNBits: ({ outputs: [y], attributes }) => 2 * size(y) * number(attributes.K, 0),
  Conv: byWindows(1),
  FusedConv: byWindows(1),
  ConvInteger: byWindows(1),
  QLinearConv: byWindows(3),
  ConvTranspose: ({ inputs: [x, w] }) => (2 * size(x) * size(w)) / (knownShape(w as Value)[0] ?? 1),
  Einsum: summed,
  LSTM: stepped,
  GRU: stepped,
  RNN: stepped,
  Attention: attends,
  MultiHeadAttention: attends,
  GroupQueryAttention: attends,
  // a state that forgets, takes up v kᵀ and is read by q, token by token
  LinearAttention: ({ inputs: [q], outputs: [, state] }) => 6 * size(state) * last(q, 2),
};

/** Of each element of the result, where operators.ts does not say it: what only moves numbers is none, what it does not know is one. */
const more: Readonly<Record<string, number>> = {
  ...Object.fromEntries(
    [
      'ConstantOfShape',
      'DequantizeLinear',
      'Flatten',
      'Size',
      'Tile',
      'Constant',
      'Trilu',
      'ScatterND',
      'GatherND',
      'Dropout',
      'Loop',
    ].map((op) => [op, 0]),
  ),
  ...Object.fromEntries(
    ['LayerNormalization', 'SkipLayerNormalization', 'BatchNormalization', 'GroupNormalization', 'InstanceNormalization'].map(
      (op) => [op, 7],
    ),
  ),
  ...Object.fromEntries(
    ['SimplifiedLayerNormalization', 'RMSNormalization', 'SkipSimplifiedLayerNormalization'].map((op) => [op, 5]),
  ),
  ...Object.fromEntries(['FastGelu', 'BiasGelu', 'QuickGelu'].map((op) => [op, 5])),
  RotaryEmbedding: 3,
};

/** What an operator of a graph from a file computes when all its sizes are known, without its bodies. Throws RangeError. */
export function operatorFlops(node: Node): { readonly flops: number; readonly matmul: boolean } {
  const product = products[node.op];
  if (product) return { flops: product(node), matmul: true };
  const known = operators[node.op];
  const each = more[node.op] ?? known?.flops ?? 1;
  if (each === 0) return { flops: 0, matmul: false };
  const counted = known?.per === 'input' ? node.inputs[0] : node.outputs.find(({ name }) => name !== '');
  return { flops: each * size(counted), matmul: false };
}
