import type { NodeProto } from '../onnx_pb.js';
import { type AttentionSite, attentionSites } from './attention.js';
import { type Bottleneck, bottlenecks, embeddingOf, streamOf } from './bottlenecks.js';
import type { OnnxDocument } from './document.js';
import type { PassedState, TokenGraph } from './tokenGraph.js';

/** One block of a language model, as its graph shows it: an attention with the residual stream around it. */
export interface GraphBlock {
  readonly attention: AttentionSite;
  /** The bottleneck that everything of this block follows from; null where there is none. */
  readonly enters: Bottleneck | null;
  /** The residual stream before, between and behind attention and MLP, where it is a value of the graph. */
  readonly resid: { readonly pre: string | null; readonly mid: string | null; readonly post: string | null };
  /** Of the keys and values; null for a graph that passes none on. */
  readonly cache: { readonly k: PassedState | null; readonly v: PassedState | null };
}

export interface GraphBlocks {
  readonly embed: string | null;
  readonly blocks: readonly GraphBlock[];
  /** What the logits alone follow from: the last value before the product with the vocabulary. */
  readonly head: Bottleneck | null;
  readonly added: readonly NodeProto[];
  /** See AttentionSite. */
  readonly typed: ReadonlyMap<string, string>;
}

/** Finds the blocks of a graph of tokens: where it narrows, and what attends in between. */
export function graphBlocks(document: OnnxDocument, tokens: TokenGraph): GraphBlocks {
  const embed = embeddingOf(document, tokens.ids.name);
  const chain = embed === null ? [] : bottlenecks(document, embed, tokens.logits);
  const sites = attentionSites(document);
  const stream = ({ node }: Bottleneck) => streamOf(document.graph.node[node] as NodeProto) || null;
  const sums = chain.filter(({ merges }) => merges);
  const blocks = sites.map((attention, i): GraphBlock => {
    const next = sites[i + 1]?.node ?? Number.POSITIVE_INFINITY;
    const enters = chain.filter(({ node }) => node < attention.node).at(-1) ?? null;
    const own = sums.filter(({ node }) => node > attention.node && node < next);
    // one sum: attention and MLP side by side; two: one after the other
    const [mid, post] = own.length > 1 ? [own[0], own.at(-1)] : [undefined, own[0]];
    return {
      attention,
      enters,
      resid: { pre: enters && stream(enters), mid: mid ? stream(mid) : null, post: post ? stream(post) : null },
      cache: {
        k: stateBehind(document, tokens.states, attention.k?.value),
        v: stateBehind(document, tokens.states, attention.v?.value),
      },
    };
  });
  return {
    embed,
    blocks,
    head: headOf(document, chain),
    added: sites.flatMap(({ added }) => added),
    typed: new Map(sites.flatMap(({ typed }) => Object.entries(typed ?? {}))),
  };
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
