import type { NodeProto } from '../onnx_pb.js';
import { body, int, intOf, ints, nodeOf, textOf, textsOf } from './attributes.js';
import type { OnnxDocument } from './document.js';
import { floats, given, made, steps, unsqueeze } from './parts.js';
import type { RecurrentSite, StepValue } from './sites.js';

/** LSTM, GRU, RNN: Y holds the hidden state after every token. Of two directions the one from the first token to the last. */
export function recurrentOperator(
  document: OnnxDocument,
  node: NodeProto,
  index: number,
  mixer: 'lstm' | 'gru' | 'rnn',
): RecurrentSite | null {
  if (textOf(node, 'direction', 'forward') === 'reverse' || intOf(node, 'layout', 0) !== 0 || given(node.input[4])) return null;
  const hidden = intOf(node, 'hidden_size', 0);
  const states: Record<string, StepValue> = { h: steps(made(node, 'h')) };
  const added = [
    ...again(node),
    zeroIndex(node),
    nodeOf('Gather', [made(node, 'Y'), made(node, 'zero')], [made(node, 'h')], [int('axis', 1)]),
  ];
  const single = textOf(node, 'direction', 'forward') === 'forward';
  const plain = textsOf(node, 'activations').length === 0 && !given(node.input[7]) && intOf(node, 'input_forget', 0) === 0;
  if (mixer === 'gru' && single && hidden > 0 && plain) return { ...gru(document, node, index, hidden), states };
  if (mixer !== 'lstm' || !single || hidden === 0) return { node: index, op: node.opType, mixer, states, probes: {}, added };
  states.c = steps(made(node, 'c'));
  return {
    node: index,
    op: node.opType,
    mixer: plain ? 'lstm' : 'rnn',
    states,
    probes: plain ? Object.fromEntries(['i', 'o', 'f', 'g'].map((gate) => [`mixer.${gate}`, steps(made(node, gate))])) : {},
    added: [...added, ...cellStates(document, node, hidden), ...(plain ? gates(document, node, hidden, LSTM_GATES, 4) : [])],
  };
}

/** Of a GRU: how much of the state before stays, z, and what is taken up, h_t − z ⊙ h_{t−1} = (1 − z) ⊙ h̃. */
function gru(document: OnnxDocument, node: NodeProto, index: number, hidden: number): Omit<RecurrentSite, 'states'> {
  const name = (what: string) => made(node, what);
  return {
    node: index,
    op: node.opType,
    mixer: 'gru',
    probes: { 'mixer.z': steps(name('z')), 'mixer.write': steps(name('write')) },
    added: [
      ...again(node),
      zeroIndex(node),
      nodeOf('Gather', [name('Y'), name('zero')], [name('h')], [int('axis', 1)]),
      ...(given(node.input[5]) ? [] : zeros(node, hidden)),
      ...gates(document, node, hidden, [['z', 'Sigmoid']], 3),
      nodeOf('Mul', [name('z'), name('h.before')], [name('kept')]),
      nodeOf('Sub', [name('h'), name('kept')], [name('write')]),
    ],
  };
}

/** The operator once more, so that its Y has a name whether the graph uses it or not. */
function again(node: NodeProto): NodeProto[] {
  const twin = nodeOf(node.opType, node.input, [made(node, 'Y')], node.attribute, node.domain);
  return [twin];
}

const zeroIndex = (node: NodeProto) => nodeOf('Constant', [], [made(node, 'zero')], [int('value_int', 0)]);

/** The cell after every token: a Scan whose step is the operator itself over one token. */
function cellStates(document: OnnxDocument, node: NodeProto, hidden: number): NodeProto[] {
  const name = (what: string) => made(node, what);
  const [h0, c0] = [given(node.input[5]), given(node.input[6])];
  const inner = [...node.input];
  while (inner.length < 7) inner.push('');
  [inner[0], inner[5], inner[6]] = [name('x.one'), name('h.in'), name('c.in')];
  const step = body(
    'step',
    [name('h.in'), name('c.in'), name('x.in')].map(floats),
    [
      ...unsqueeze(document, name('x.in'), 0, name('x.one')),
      nodeOf(node.opType, inner, ['', name('h.out'), name('c.out')], node.attribute),
      nodeOf('Identity', [name('c.out')], [name('c.step')]),
    ],
    [name('h.out'), name('c.out'), name('c.step')].map(floats),
  );
  return [
    ...(h0 && c0 ? [] : zeros(node, hidden)),
    nodeOf(
      'Scan',
      [h0 ?? name('zeros'), c0 ?? name('zeros'), node.input[0] as string],
      [name('h.last'), name('c.last'), name('c.all')],
      [step, int('num_scan_inputs', 1)],
    ),
    // [T,1,B,H]
    nodeOf('Gather', [name('c.all'), name('zero')], [name('c')], [int('axis', 1)]),
  ];
}

/** [1,B,H] of zeros. */
function zeros(node: NodeProto, hidden: number): NodeProto[] {
  const name = (what: string) => made(node, what);
  return [
    nodeOf('Shape', [node.input[0] as string], [name('x.shape')]),
    nodeOf('Constant', [], [name('one')], [ints('value_ints', [1])]),
    nodeOf('Constant', [], [name('width')], [ints('value_ints', [hidden])]),
    nodeOf('Gather', [name('x.shape'), name('one')], [name('batch')]),
    nodeOf('Concat', [name('one'), name('batch'), name('width')], [name('zeros.shape')], [int('axis', 0)]),
    nodeOf('ConstantOfShape', [name('zeros.shape')], [name('zeros')]),
  ];
}

/** In the order ONNX stacks them: input, output and forget gate and the new content. */
const LSTM_GATES = [
  ['i', 'Sigmoid'],
  ['o', 'Sigmoid'],
  ['f', 'Sigmoid'],
  ['g', 'Tanh'],
] as const;

/** The first of so many stacked gates, [T,B,H] each: σ or tanh of W x_t + R h_{t−1} + b. */
function gates(
  document: OnnxDocument,
  node: NodeProto,
  hidden: number,
  wanted: readonly (readonly [gate: string, op: string])[],
  stacked: number,
): NodeProto[] {
  const name = (what: string) => made(node, what);
  const [x, w, r, b] = node.input as [string, string, string, string | undefined];
  const constant = (what: string, values: readonly number[]) =>
    nodeOf('Constant', [], [name(what)], [ints('value_ints', values)]);
  const turned = (from: string, to: string) => [
    nodeOf('Gather', [from, name('zero')], [name(`${to}.own`)], [int('axis', 0)]),
    nodeOf('Transpose', [name(`${to}.own`)], [name(to)], [ints('perm', [1, 0])]),
  ];
  const before = given(node.input[5]) ?? name('zeros');
  const activate = (gate: string, op: string, place: number) => [
    constant(`${gate}.from`, [place * hidden]),
    constant(`${gate}.to`, [(place + 1) * hidden]),
    nodeOf('Slice', [name('sum'), name(`${gate}.from`), name(`${gate}.to`), name('axis.2')], [name(`${gate}.raw`)]),
    nodeOf(op, [name(`${gate}.raw`)], [name(gate)]),
  ];
  return [
    ...turned(w, 'w.t'),
    ...turned(r, 'r.t'),
    constant('from.0', [0]),
    constant('to.last', [-1]),
    constant('axis.0', [0]),
    constant('axis.2', [2]),
    // h_{t−1}: the initial state, then all but the last
    nodeOf('Slice', [name('h'), name('from.0'), name('to.last'), name('axis.0')], [name('h.rest')]),
    nodeOf('Concat', [before, name('h.rest')], [name('h.before')], [int('axis', 0)]),
    nodeOf('MatMul', [x, name('w.t')], [name('wx')]),
    nodeOf('MatMul', [name('h.before'), name('r.t')], [name('rh')]),
    nodeOf('Add', [name('wx'), name('rh')], [name('sum.bare')]),
    ...(given(b)
      ? [
          constant('halves', [2, stacked * hidden]),
          nodeOf('Reshape', [b as string, name('halves')], [name('b.halves')]),
          ...sumOfRows(document, name('b.halves'), name('b')),
          nodeOf('Add', [name('sum.bare'), name('b')], [name('sum')]),
        ]
      : [nodeOf('Identity', [name('sum.bare')], [name('sum')])]),
    ...wanted.flatMap(([gate, op], place) => activate(gate, op, place)),
  ];
}

/** Since version 13 the axes are an input. */
const sumOfRows = (document: OnnxDocument, from: string, to: string): NodeProto[] =>
  document.opset() < 13
    ? [nodeOf('ReduceSum', [from], [to], [ints('axes', [0]), int('keepdims', 0)])]
    : [
        nodeOf('Constant', [], [`${to}.axes`], [ints('value_ints', [0])]),
        nodeOf('ReduceSum', [from, `${to}.axes`], [to], [int('keepdims', 0)]),
      ];
