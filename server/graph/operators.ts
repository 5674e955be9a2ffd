import { onnxFormulas } from './onnx/formulas.js';

/** What an operator of the IR computes, in a line, and how many floating-point operations that takes. */
export interface Operator {
  readonly formula: string;
  /**
   * Operations for each element of the result, or of the first input where the result is smaller. An elementary function (exp, tanh …) is one;
   * what only moves numbers is none. MatMul and the loops are counted by the shapes they meet.
   */
  readonly flops: number;
  readonly per?: 'output' | 'input';
}

const moves = (formula: string): Operator => ({ formula, flops: 0 });
const each = (formula: string, flops = 1): Operator => ({ formula, flops });
const reduces = (formula: string): Operator => ({ formula, flops: 1, per: 'input' });

/** Every operator that architectures use. */
export const operators: Readonly<Record<string, Operator>> = {
  Add: each('y = a + b'),
  Sub: each('y = a − b'),
  Mul: each('y = a ⊙ b'),
  Div: each('y = a / b'),
  Max: each('y = max(a, b)'),
  Min: each('y = min(a, b)'),
  Neg: each('y = −x'),
  Exp: each('y = eˣ'),
  Log: each('y = ln x'),
  Sin: each('y = sin x'),
  Cos: each('y = cos x'),
  Tanh: each('y = tanh x'),
  Sqrt: each('y = √x'),
  Relu: each('y = max(x, 0)'),
  Sigmoid: each('y = 1 / (1 + e⁻ˣ)'),
  Softplus: each('y = ln(1 + eˣ)'),
  Gelu: each('y = x · Φ(x)', 5),
  Less: each('y = a < b'),
  LessOrEqual: each('y = a ≤ b'),
  Greater: each('y = a > b'),
  Equal: each('y = a = b'),
  And: each('y = a ∧ b'),
  Where: moves('y = a where the condition holds, else b'),
  Softmax: each('yᵢ = e^(xᵢ − max x) / Σⱼ e^(xⱼ − max x)', 5),
  RMSNorm: each('y = x / √(mean x² + ε) ⊙ w', 4),
  LayerNormalization: each('y = (x − mean x) / √(var x + ε) ⊙ w + b', 7),
  ReduceSum: reduces('y = Σ x'),
  ReduceMean: reduces('y = mean x'),
  ReduceMax: reduces('y = max x'),
  Rotate: each('(y₁, y₂) = (x₁ cos θ − x₂ sin θ, x₂ cos θ + x₁ sin θ) for each pair', 3),
  MatMul: each('y = a · b', 0),
  Reshape: moves('the same numbers in another shape'),
  Transpose: moves('y = x with its axes in another order'),
  Unsqueeze: moves('x with an axis of size 1 more'),
  Squeeze: moves('x with an axis of size 1 less'),
  Concat: moves('the inputs one behind the other'),
  Slice: moves('a stretch of x'),
  Split: moves('x in pieces'),
  Pad: moves('x with zeros around it'),
  Resize: each('x at other sizes, each number from the 4 × 4 about its place by cubic weights', 32),
  Expand: moves('x repeated along axes of size 1'),
  Gather: moves('the rows of the table that the ids name'),
  GatherElements: moves('for each place the element that its id names'),
  Cast: moves('the same numbers in another type'),
  Identity: moves('y = x'),
  Shape: moves('the sizes of x'),
  Range: moves('0, 1, 2 …'),
  TopK: moves('the k largest, and where they are'),
  NonZero: moves('the places where x is not 0'),
  Scan: moves('hₜ, yₜ = step(hₜ₋₁, xₜ), token by token'),
  If: moves('one branch or the other'),
};

/** The formula of a node with what its attributes change. */
export function formulaOf(op: string, attributes: Readonly<Record<string, unknown>>): string {
  if (op === 'MatMul' && (attributes.transB === true || attributes.alpha !== undefined))
    return `y = a · b${attributes.transB === true ? 'ᵀ' : ''}${attributes.alpha === undefined ? '' : ` · ${Number(attributes.alpha).toPrecision(6)}`}`;
  if (op === 'TopK' && attributes.largest === 0) return 'the k smallest, and where they are';
  if (op === 'Gelu' && attributes.approximate === 'tanh') return 'y = x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))';
  return operators[op]?.formula ?? onnxFormulas[op] ?? op;
}
