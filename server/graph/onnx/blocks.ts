import type { NodeProto } from '../onnx_pb.js';
import { attentionSites } from './attention.js';
import { type Bottleneck, bottlenecks, embeddingOf, streamOf } from './bottlenecks.js';
import type { OnnxDocument } from './document.js';
import { recurrentSites } from './recurrence.js';
import type { AttentionSite, RecurrentSite } from './sites.js';
import { type PassedState, type TokenGraph, tokenInputsOf } from './tokenGraph.js';
import { typeOf } from './types.js';

/** One block of a graph: what mixes its tokens, with the residual stream around it where there is one. */
export interface GraphBlock {
  /** One of the two. */
  readonly attention: AttentionSite | null;
  readonly recurrence: RecurrentSite | null;
  /** Index of the node that mixes tokens. */
  readonly site: number;
  /** The bottleneck that everything of this block follows from; null where there is none. */
  readonly enters: Bottleneck | null;
  /** The residual stream before, between and behind attention and MLP, where it is a value of the graph. */
  readonly resid: { readonly pre: string | null; readonly mid: string | null; readonly post: string | null };
  /** Of the keys and values; null for a graph that passes none on. */
  readonly cache: { readonly k: PassedState | null; readonly v: PassedState | null };
}

export interface GraphBlocks {
  readonly embed: string | null;
  /** Where the graph narrows between its tokens and its result. */
  readonly chain: readonly Bottleneck[];
  readonly blocks: readonly GraphBlock[];
  /** What the logits alone follow from: the last value before the product with the vocabulary. */
  readonly head: Bottleneck | null;
  readonly added: readonly NodeProto[];
  /** See AttentionSite. */
  readonly typed: ReadonlyMap<string, string>;
}

/**
 * Finds the blocks of a graph: what attends and recurs, and where it narrows in between, on the way from its tokens (or its first input of floats) to
 * `tokens.logits` or its first output.
 */
export function graphBlocks(document: OnnxDocument, tokens: TokenGraph | null): GraphBlocks {
  const words = tokens ?? tokenInputsOf(document);
  const embed = 'reason' in words ? null : embeddingOf(document, words.ids.name);
  const chain = bottlenecks(document, embed ?? firstFloats(document) ?? '', tokens?.logits ?? document.outputs[0] ?? '');
  const attentions = attentionSites(document);
  const recurrences = recurrentSites(document);
  const sites = [
    ...attentions.map((attention) => ({ node: attention.node, attention, recurrence: null })),
    ...recurrences.map((recurrence) => ({ node: recurrence.node, attention: null, recurrence })),
  ].sort((x, y) => x.node - y.node);
  const states = tokens?.states ?? [];
  const blocks = sites.map(({ node, attention, recurrence }, i): GraphBlock => {
    const next = sites[i + 1]?.node ?? Number.POSITIVE_INFINITY;
    const enters = chain.filter((narrow) => narrow.node < node).at(-1) ?? null;
    const cache = {
      k: stateBehind(document, states, attention?.k?.value),
      v: stateBehind(document, states, attention?.v?.value),
    };
    return { attention, recurrence, site: node, enters, resid: streamsOf(document, chain, enters, node, next), cache };
  });
  return {
    embed,
    chain,
    blocks,
    // of anything else than the next token's scores nobody knows what the last product is
    head: tokens && headOf(document, chain),
    added: [...attentions, ...recurrences].flatMap(({ added }) => added),
    typed: new Map(attentions.flatMap(({ typed }) => Object.entries(typed ?? {}))),
  };
}

/** What the first node computes from that reads an image, or other numbers. */
function firstFloats(document: OnnxDocument): string | null {
  const isFloat = (name: string) =>
    /^(B?F|F8)/.test(typeOf(document.graph.input.find((input) => input.name === name)?.type).dtype ?? '');
  const given = new Set(document.inputs.filter(isFloat));
  return document.graph.node.find(({ input }) => input.some((name) => given.has(name)))?.output[0] ?? null;
}

/** Between one block and the next: one sum closes attention and MLP side by side, two of them one after the other. */
function streamsOf(
  { graph }: OnnxDocument,
  chain: readonly Bottleneck[],
  enters: Bottleneck | null,
  node: number,
  next: number,
): GraphBlock['resid'] {
  const stream = (narrow: Bottleneck | null | undefined) =>
    narrow ? streamOf(graph.node[narrow.node] as NodeProto) || null : null;
  const own = chain.filter((narrow) => narrow.merges && narrow.node > node && narrow.node < next);
  const [mid, post] = own.length > 1 ? [own[0], own.at(-1)] : [null, own[0]];
  return { pre: stream(enters), mid: stream(mid), post: stream(post) };
}

const products = /^(MatMul|Gemm|MatMulNBits|MatMulInteger|DynamicQuantizeMatMul|FusedMatMul|QMoE)$/;

/** The bottleneck right before the last product of the chain. */
function headOf({ graph }: OnnxDocument, chain: readonly Bottleneck[]): Bottleneck | null {
  const last = chain.findLastIndex(({ node }) => products.test(graph.node[node]?.opType ?? ''));
  return chain[last - 1] ?? null;
}

/** Operators that move keys and values about and leave them what they are, but for a factor. */
const moving = /^(Concat|Transpose|Reshape|Expand|Unsqueeze|Squeeze|Cast|Mul|Identity|Slice|Gather|Split|Tile)$/;

/** The state that keys or values come from, by the way back from them. */
function stateBehind(
  document: OnnxDocument,
  states: readonly PassedState[],
  value: string | undefined,
  depth = 0,
): PassedState | null {
  if (value === undefined || depth > 12) return null;
  const own = states.find(({ input, output }) => input === value || output === value);
  if (own) return own;
  const maker = document.producer(value);
  if (!maker || !moving.test(maker.opType)) return null;
  for (const name of maker.input) {
    const found = stateBehind(document, states, name, depth + 1);
    if (found) return found;
  }
  return null;
}
