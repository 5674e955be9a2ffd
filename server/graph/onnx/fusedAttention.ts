import { clone } from '@bufbuild/protobuf';
import { type NodeProto, NodeProtoSchema } from '../onnx_pb.js';
import { floatOf, int, intOf, ints, nodeOf, setInt } from './attributes.js';
import type { OnnxDocument } from './document.js';
import type { AttentionSite, HeadValue } from './sites.js';

/** Attention as one operator: its pattern is a further output, or follows from one; null for any other node. */
export function fusedSite(document: OnnxDocument, node: NodeProto, index: number): AttentionSite | null {
  const fused = operators[`${node.domain === 'ai.onnx' ? '' : node.domain}.${node.opType}`];
  return fused?.(document, node, index) ?? null;
}

type Fused = (document: OnnxDocument, node: NodeProto, index: number) => AttentionSite | null;

const made = (node: NodeProto, what: string): string => `${node.output[0]}/${what}`;
const whole = (value: string): HeadValue => ({ value, layout: 'heads', heads: null });
const flat = (value: string | undefined, heads: number): HeadValue | null =>
  value ? (heads > 0 ? { value, layout: 'flat', heads } : whole(value)) : null;
const given = (value: string | undefined): string | null => (value === undefined || value === '' ? null : value);

/** The same operator once more, with names of its own for what it returns besides one thing. */
function again(node: NodeProto, what: string, place: number, set: Readonly<Record<string, number>>): NodeProto {
  const twin = clone(NodeProtoSchema, node);
  twin.name = '';
  twin.output = Array.from({ length: place + 1 }, (_, i) => (i === place ? made(node, what) : made(node, `${what}.${i}`)));
  for (const [name, value] of Object.entries(set)) setInt(twin, name, value);
  return twin;
}

const operators: Readonly<Record<string, Fused>> = {
  /** https://onnx.ai/onnx/operators/onnx__Attention.html: qk_matmul_output_mode 3 is what the softmax gives, 2 what it gets. */
  '.Attention'(_, node, index) {
    const [heads, kvHeads] = [intOf(node, 'q_num_heads', 0), intOf(node, 'kv_num_heads', 0)];
    const scale = floatOf(node, 'scale', 0);
    const softcap = floatOf(node, 'softcap', 0);
    const present = given(node.output[1]);
    return {
      node: index,
      op: 'Attention',
      pattern: whole(made(node, 'pattern')),
      scores: whole(made(node, 'scores')),
      q: flat(node.input[0], heads),
      k: present ? whole(present) : flat(node.input[1], kvHeads),
      v: given(node.output[2]) ? whole(node.output[2] as string) : flat(node.input[2], kvHeads),
      z: flat(node.output[0], heads),
      scale: scale === 0 ? null : scale,
      softcap: softcap === 0 ? null : softcap,
      window: null,
      added: [again(node, 'pattern', 3, { qk_matmul_output_mode: 3 }), again(node, 'scores', 3, { qk_matmul_output_mode: 2 })],
    };
  },

  /** ContribOperators.md, com.microsoft.GroupQueryAttention: qk_output 2 is what the softmax gives, 1 what it gets. */
  'com.microsoft.GroupQueryAttention'(_, node, index) {
    const [heads, kvHeads] = [intOf(node, 'num_heads', 0), intOf(node, 'kv_num_heads', 0)];
    const [scale, softcap] = [floatOf(node, 'scale', 0), floatOf(node, 'softcap', 0)];
    const window = intOf(node, 'local_window_size', -1);
    const queries = queriesOf(node, heads, kvHeads);
    return {
      node: index,
      op: 'GroupQueryAttention',
      scoresUnmasked: true,
      pattern: whole(made(node, 'pattern')),
      scores: whole(made(node, 'scores')),
      q: queries.value,
      k: given(node.output[1]) ? whole(node.output[1] as string) : null,
      v: given(node.output[2]) ? whole(node.output[2] as string) : null,
      z: flat(node.output[0], heads),
      scale: scale === 0 ? null : scale,
      softcap: softcap === 0 ? null : softcap,
      window: window > 0 ? window : null,
      added: [again(node, 'pattern', 3, { qk_output: 2 }), again(node, 'scores', 3, { qk_output: 1 }), ...queries.added],
    };
  },

  /** com.microsoft.MultiHeadAttention: its fourth output is what the softmax gets. */
  'com.microsoft.MultiHeadAttention'(_, node, index) {
    const heads = intOf(node, 'num_heads', 0);
    const scale = floatOf(node, 'scale', 0);
    const [biased, packed] = [given(node.input[3]) !== null, given(node.input[1]) === null];
    const present = given(node.output[1]);
    return {
      node: index,
      op: 'MultiHeadAttention',
      pattern: whole(made(node, 'pattern')),
      scores: whole(made(node, 'scores')),
      q: biased || packed ? null : flat(node.input[0], heads),
      k: present ? whole(present) : biased || packed ? null : flat(node.input[1], heads),
      v: given(node.output[2]) ? whole(node.output[2] as string) : biased || packed ? null : flat(node.input[2], heads),
      z: flat(node.output[0], heads),
      scale: scale === 0 ? null : scale,
      softcap: null,
      window: null,
      typed: { [made(node, 'scores')]: node.input[0] as string },
      added: [
        again(node, 'scores', 3, {}),
        nodeOf('Softmax', [made(node, 'scores')], [made(node, 'pattern')], [int('axis', -1)]),
      ],
    };
  },

  /** com.microsoft.Attention: q, k and v from one product, in this order; the rest is MultiHeadAttention's. */
  'com.microsoft.Attention'(document, node, index) {
    const [input, weights, bias, mask, past, attentionBias] = Array.from({ length: 6 }, (_, i) => node.input[i] ?? '');
    const heads = intOf(node, 'num_heads', 0);
    if (node.attribute.some(({ name }) => name === 'qkv_hidden_sizes' || name === 'do_rotary')) return null;
    const [product, sum, q, k, v] = ['product', 'sum', 'q', 'k', 'v'].map((what) => made(node, what)) as [
      string,
      string,
      string,
      string,
      string,
    ];
    const inner = nodeOf(
      'MultiHeadAttention',
      [q, k, v, '', mask ?? '', attentionBias ?? ''],
      ['z', 'present.k', 'present.v', 'scores'].map((what) => made(node, what)),
      node.attribute.filter(({ name }) => ['num_heads', 'scale', 'unidirectional', 'mask_filter_value'].includes(name)),
      'com.microsoft',
    );
    const pasts = past === '' ? [] : splitPast(document, node, past as string);
    if (past !== '') inner.input.push(made(node, 'past.k'), made(node, 'past.v'));
    const scale = floatOf(node, 'scale', 0);
    return {
      node: index,
      op: 'Attention (com.microsoft)',
      pattern: whole(made(node, 'pattern')),
      scores: whole(made(node, 'scores')),
      q: flat(q, heads),
      k: whole(made(node, 'present.k')),
      v: whole(made(node, 'present.v')),
      z: flat(node.output[0], heads),
      scale: scale === 0 ? null : scale,
      softcap: null,
      window: null,
      typed: { [made(node, 'scores')]: input as string },
      added: [
        nodeOf('MatMul', [input as string, weights as string], [product]),
        bias === '' ? nodeOf('Identity', [product], [sum]) : nodeOf('Add', [product, bias as string], [sum]),
        nodeOf('Split', [sum], [q, k, v], splitting(document, -1, 3)),
        ...pasts,
        inner,
        nodeOf('Softmax', [made(node, 'scores')], [made(node, 'pattern')], [int('axis', -1)]),
      ],
    };
  },
};

/** Into equal parts; since version 18 their number is said. */
const splitting = (document: OnnxDocument, axis: number, parts: number) => [
  int('axis', axis),
  ...(document.opset() < 18 ? [] : [int('num_outputs', parts)]),
];

/** [2,B,H,P,E] as keys and values. */
function splitPast(document: OnnxDocument, node: NodeProto, past: string): NodeProto[] {
  const axes = made(node, 'axis.0');
  return [
    nodeOf('Constant', [], [axes], [ints('value_ints', [0])]),
    nodeOf('Split', [past], [made(node, 'past.0'), made(node, 'past.1')], splitting(document, 0, 2)),
    nodeOf('Squeeze', [made(node, 'past.0'), axes], [made(node, 'past.k')]),
    nodeOf('Squeeze', [made(node, 'past.1'), axes], [made(node, 'past.v')]),
  ];
}

/** Queries as multiplied: cut out of the packed ones, and turned by their positions where the operator does it. */
function queriesOf(
  node: NodeProto,
  heads: number,
  kvHeads: number,
): { readonly value: HeadValue | null; readonly added: readonly NodeProto[] } {
  const packed = given(node.input[1]) === null;
  const turns = intOf(node, 'do_rotary', 0) === 1;
  const query = node.input[0] as string;
  if (!packed && !turns) return { value: flat(query, heads), added: [] };
  const name = (what: string) => made(node, what);
  const constant = (what: string, values: readonly number[]) =>
    nodeOf('Constant', [], [name(what)], [ints('value_ints', values)]);
  const shaped = [
    // [B,T,(H+2K)·E] → [B,T,H+2K,E] → [B,T,H,E] → [B,H,T,E]
    constant('q.shape', [0, 0, packed ? heads + 2 * kvHeads : heads, -1]),
    constant('q.from', [0]),
    constant('q.to', [heads]),
    constant('q.axis', [2]),
    nodeOf('Reshape', [query, name('q.shape')], [name('q.split')]),
    nodeOf('Slice', [name('q.split'), name('q.from'), name('q.to'), name('q.axis')], [name('q.own')]),
    nodeOf('Transpose', [name('q.own')], [name('q')], [ints('perm', [0, 2, 1, 3])]),
  ];
  if (!turns) return { value: whole(name('q')), added: shaped };
  const scalar = (what: string, value: number) => nodeOf('Constant', [], [name(what)], [int('value_int', value)]);
  const turned = [
    // positions past … past + T − 1, from the total that the operator is given
    scalar('one', 1),
    constant('zero', [0]),
    nodeOf('Shape', [query], [name('q.sizes')]),
    nodeOf('Gather', [name('q.sizes'), name('one')], [name('T')], [int('axis', 0)]),
    nodeOf('Cast', [node.input[6] as string], [name('total.any')], [int('to', 7)]),
    nodeOf('Squeeze', [name('total.any')], [name('total')]),
    nodeOf('Sub', [name('total'), name('T')], [name('past')]),
    nodeOf('Range', [name('past'), name('total'), name('one')], [name('range')]),
    nodeOf('Unsqueeze', [name('range'), name('zero')], [name('positions')]),
    nodeOf(
      'RotaryEmbedding',
      [name('q'), name('positions'), node.input[7] as string, node.input[8] as string],
      [name('rot_q')],
      [int('interleaved', intOf(node, 'rotary_interleaved', 0))],
      'com.microsoft',
    ),
  ];
  return { value: whole(name('rot_q')), added: [...shaped, ...turned] };
}
