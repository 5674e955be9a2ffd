import type { NodeProto } from '../onnx_pb.js';
import { floatOf, intOf } from './attributes.js';
import { scalarOf } from './constants.js';
import type { OnnxDocument } from './document.js';
import { fusedSite } from './fusedAttention.js';
import type { AttentionSite, HeadValue } from './sites.js';

const heads = (value: string | undefined): HeadValue | null => (value ? { value, layout: 'heads', heads: null } : null);

/** Every attention of the graph, in order: softmax over q·kᵀ that is multiplied with v, and the fused operators. */
export function attentionSites(document: OnnxDocument): AttentionSite[] {
  const readers = new Map<string, NodeProto[]>();
  for (const node of document.graph.node) for (const name of node.input) readers.set(name, [...(readers.get(name) ?? []), node]);
  const sites = document.graph.node.flatMap(
    (node, index) => fusedSite(document, node, index) ?? softmaxSite(document, node, readers) ?? [],
  );
  return sites.sort((a, b) => a.node - b.node);
}

/** Operators that pass a pattern on as it is, or but for what is not a number. */
const passing = new Set(['Cast', 'Identity', 'Dropout', 'Where', 'Reshape']);
/** Between q·kᵀ and the softmax: scale, mask, soft cap, other types and shapes. */
const between = new Set(['Add', 'Sub', 'Mul', 'Div', 'Where', 'Cast', 'Tanh', 'Reshape', 'Identity', 'Clip', 'Max', 'Min']);

function softmaxSite(
  document: OnnxDocument,
  softmax: NodeProto,
  readers: ReadonlyMap<string, readonly NodeProto[]>,
): AttentionSite | null {
  if (softmax.opType !== 'Softmax' && softmax.opType !== 'BiasSoftmax') return null;
  const axis = intOf(softmax, 'axis', document.opset() < 13 ? 1 : -1);
  if (axis !== -1 && axis !== 3) return null;
  const [scores, pattern] = [softmax.input[0] as string, softmax.output[0] as string];
  const product = productBehind(document, scores);
  const weighted = product && weightedBy(pattern, readers);
  if (!product || !weighted) return null;
  const { node, scale, softcap } = product;
  const turned = node.opType === 'FusedMatMul' && intOf(node, 'transB', 0) === 1;
  const alpha = node.opType === 'FusedMatMul' ? floatOf(node, 'alpha', 1) : 1;
  const [q, k] = [unscaled(document, node.input[0] as string), unscaled(document, node.input[1] as string)];
  return {
    node: document.graph.node.indexOf(node),
    op: softmax.opType,
    pattern: { value: pattern, layout: 'heads', heads: null },
    scores: softmax.opType === 'Softmax' ? heads(scores) : null,
    q: heads(q.value),
    k: { value: k.value, layout: turned ? 'heads' : 'turned', heads: null },
    v: heads(weighted.input[1]),
    z: heads(weighted.output[0]),
    scale: scale * alpha * q.scale * k.scale,
    softcap,
    window: null,
    added: [],
  };
}

/** Queries and keys before the factor that some exporters put on each of them, ⁴√ of the scale. */
function unscaled(document: OnnxDocument, value: string): { readonly value: string; readonly scale: number } {
  const node = document.producer(value);
  if (node?.opType !== 'Mul') return { value, scale: 1 };
  const place = node.input.findIndex((name) => scalarOf(document, name) !== null);
  const factor = scalarOf(document, node.input[place] ?? '');
  return factor === null ? { value, scale: 1 } : { value: node.input[1 - place] as string, scale: factor };
}

interface Product {
  readonly node: NodeProto;
  readonly scale: number;
  readonly softcap: number | null;
}

/** The product of two computed matrices that scores come from, and the factors on the way. */
function productBehind(document: OnnxDocument, value: string, depth = 0): Product | null {
  const node = document.producer(value);
  if (!node || depth > 12) return null;
  if (node.opType === 'MatMul' || node.opType === 'FusedMatMul') {
    const computed = node.input.every((name) => document.origins.get(name)?.kind !== 'initializer');
    return computed ? { node, scale: 1, softcap: null } : null;
  }
  if (!between.has(node.opType)) return null;
  for (const [place, input] of node.input.entries()) {
    const found = productBehind(document, input, depth + 1);
    if (!found) continue;
    const factor = scalarOf(document, node.input[1 - place] ?? '');
    if (node.opType === 'Mul' && factor !== null) return capped(document, node, { ...found, scale: found.scale * factor });
    if (node.opType === 'Div' && place === 0 && factor !== null) return { ...found, scale: found.scale / factor };
    return found;
  }
  return null;
}

/** cap · tanh(x / cap): what was divided by and multiplied with is no scale. */
function capped(document: OnnxDocument, node: NodeProto, found: Product): Product {
  const tanh = node.input.map((name) => document.producer(name)).find((inner) => inner?.opType === 'Tanh');
  const cap = node.input.map((name) => scalarOf(document, name)).find((value) => value !== null);
  return tanh && cap ? { ...found, softcap: cap } : found;
}

/** The product of the pattern and the values. */
function weightedBy(pattern: string, readers: ReadonlyMap<string, readonly NodeProto[]>, depth = 0): NodeProto | null {
  for (const node of readers.get(pattern) ?? []) {
    if (/^(Fused)?MatMul$/.test(node.opType) && node.input[0] === pattern) return node;
    if (!passing.has(node.opType) || depth > 4) continue;
    const found = weightedBy(node.output[0] ?? '', readers, depth + 1);
    if (found) return found;
  }
  return null;
}
