import { type NodeProto, TensorProto_DataType } from '../onnx_pb.js';
import { body, float, floatOf, int, intOf, ints, nodeOf, textOf } from './attributes.js';
import type { OnnxDocument } from './document.js';
import { floats, given, made, steps, unsqueeze } from './parts.js';
import type { RecurrentSite, StepValue } from './sites.js';

/** LinearAttention (ai.onnx 27 and com.microsoft): the state [B,H,d_k,d_v] after every token, by a Scan whose step is the operator over one. */
export function linearAttention(document: OnnxDocument, node: NodeProto, index: number): RecurrentSite | null {
  const [query = null, key = null, value = null, past = null, decay = null, beta = null] = Array.from({ length: 6 }, (_, i) =>
    given(node.input[i]),
  ) as (string | null)[];
  if (!query || !key || !value || intOf(node, 'state_window', 0) !== 0) return null;
  const name = (what: string) => made(node, what);
  const read = [query, key, value, ...(decay ? [decay] : []), ...(beta ? [beta] : [])];
  const one = (tensor: string | null) => (tensor ? `${name(`in.${read.indexOf(tensor)}`)}.one` : '');
  const step = body(
    'step',
    [name('s.in'), ...read.map((_, i) => name(`in.${i}`))].map(floats),
    [
      ...read.flatMap((_, i) => unsqueeze(document, name(`in.${i}`), 1, `${name(`in.${i}`)}.one`)),
      nodeOf(
        node.opType,
        [one(query), one(key), one(value), name('s.in'), one(decay), one(beta)],
        [name('s.y'), name('s.out')],
        node.attribute,
        node.domain,
      ),
      nodeOf('Identity', [name('s.out')], [name('s.step')]),
    ],
    [name('s.out'), name('s.step')].map(floats),
  );
  const scan = [
    step,
    int('num_scan_inputs', read.length),
    ints(
      'scan_input_axes',
      read.map(() => 1),
    ),
  ];
  const heads = intOf(node, 'kv_num_heads', 0);
  const parts = deltaParts(node, { query, key, value, decay, beta, heads });
  return {
    node: index,
    op: 'LinearAttention',
    mixer: parts ? 'deltanet' : 'linear_attention',
    states: { ssm: steps(name('s.all')) },
    probes: parts?.probes ?? {},
    added: [
      ...(past
        ? []
        : [
            nodeOf(node.opType, node.input, [name('s.any.y'), name('s.any')], node.attribute, node.domain),
            nodeOf('Shape', [name('s.any')], [name('s.shape')]),
            nodeOf('ConstantOfShape', [name('s.shape')], [name('s.zeros')]),
          ]),
      nodeOf('Scan', [past ?? name('s.zeros'), ...read], [name('s.last'), name('s.all')], scan),
      ...(parts?.added ?? []),
    ],
  };
}

interface DeltaInputs {
  readonly query: string;
  readonly key: string;
  readonly value: string;
  readonly decay: string | null;
  readonly beta: string | null;
  readonly heads: number;
}

/** The parts of S_t = α S_{t−1} − β k (α S_{t−1}ᵀ k)ᵀ + β k vᵀ, which is how the gated delta rule is shown; null for other rules. */
function deltaParts(
  node: NodeProto,
  { query, key, value, decay, beta, heads }: DeltaInputs,
): Pick<RecurrentSite, 'probes' | 'added'> | null {
  const sameHeads = intOf(node, 'q_num_heads', 0) === heads;
  if (textOf(node, 'update_rule', 'gated_delta') !== 'gated_delta' || !decay || !beta || !sameHeads) return null;
  const name = (what: string) => made(node, what);
  const scale = floatOf(node, 'scale', 0);
  const flat = (of: string): StepValue => ({ value: of, layout: 'flat', heads });
  const scaled =
    scale === 0
      ? [
          nodeOf('Shape', [query], [name('q.shape')]),
          nodeOf('Constant', [], [name('last')], [int('value_int', 2)]),
          nodeOf('Gather', [name('q.shape'), name('last')], [name('q.width')]),
          nodeOf('Cast', [name('q.width')], [name('q.width.float')], [int('to', TensorProto_DataType.FLOAT)]),
          nodeOf('Constant', [], [name('q.heads')], [float('value_float', heads)]),
          nodeOf('Div', [name('q.width.float'), name('q.heads')], [name('q.size')]),
          nodeOf('Sqrt', [name('q.size')], [name('q.root')]),
          nodeOf('Div', [query, name('q.root')], [name('q.scaled')]),
        ]
      : [
          nodeOf('Constant', [], [name('q.scale')], [float('value_float', scale)]),
          nodeOf('Mul', [query, name('q.scale')], [name('q.scaled')]),
        ];
  return {
    probes: {
      'mixer.decay': flat(name('alpha')),
      'mixer.beta': flat(beta),
      'mixer.k': flat(key),
      'mixer.v': flat(value),
      'mixer.q': flat(name('q.scaled')),
      'mixer.y': flat(node.output[0] as string),
    },
    added: [nodeOf('Exp', [decay], [name('alpha')]), ...scaled],
  };
}
