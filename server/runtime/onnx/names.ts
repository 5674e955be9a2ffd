import type { AttentionSite, HeadValue } from '../../graph/onnx/attention.js';
import type { GraphBlock, GraphBlocks } from '../../graph/onnx/blocks.js';

/** How the axes of a value lie: those of heads, of a pattern, or [B,T,…]. */
export type Layout = HeadValue['layout'] | 'pattern' | 'tokens';

/** A probe of a block, by the value of the graph that it is. */
export interface NamedValue {
  readonly value: string;
  readonly layout: Layout;
  readonly heads: number | null;
  /** Its rows go back to the first token, whatever tokens are computed: keys with those of the cache in front. */
  readonly whole: boolean;
}

const named = (value: string | null, layout: Layout = 'tokens'): NamedValue | null =>
  value === null ? null : { value, layout, heads: null, whole: false };

const ofHeads = (found: HeadValue | null, whole = false): NamedValue | null => found && { ...found, whole };
const pattern = (found: HeadValue | null): NamedValue | null => found && { ...found, layout: 'pattern', whole: false };

/** The short names of what a block has; the same ones that our own blocks use. */
export function blockNames({ attention, resid }: GraphBlock, arithmetic: boolean): ReadonlyMap<string, NamedValue> {
  const { q, k, v, scores, z } = attention as AttentionSite;
  const all: Readonly<Record<string, NamedValue | null>> = {
    resid_pre: named(resid.pre),
    // what is multiplied is turned already, so that both names mean the same
    'attn.q': arithmetic ? ofHeads(q) : null,
    'attn.rot_q': arithmetic ? ofHeads(q) : null,
    'attn.k': arithmetic ? ofHeads(k, true) : null,
    'attn.rot_k': arithmetic ? ofHeads(k, true) : null,
    'attn.v': ofHeads(v, true),
    'attn.scores': arithmetic ? pattern(scores) : null,
    'attn.pattern': pattern(attention.pattern),
    'attn.z': ofHeads(z),
    resid_mid: named(resid.mid),
    resid_post: named(resid.post),
  };
  return new Map(Object.entries(all).flatMap(([name, value]) => (value ? [[name, value] as const] : [])));
}

/** Names outside the blocks. */
export function endNames({ embed, head }: GraphBlocks): ReadonlyMap<string, NamedValue> {
  const all = { embed: named(embed), ln_final: named(head?.values[0] ?? null) };
  return new Map(Object.entries(all).flatMap(([name, value]) => (value ? [[name, value] as const] : [])));
}

/** Every name that is not the graph's own: those of the blocks with `i` for their number, and those outside. */
export function aliases(
  graph: GraphBlocks,
  layers: readonly { readonly arithmetic: boolean; readonly state: readonly { readonly name: string }[] }[],
): string[] {
  const inBlocks = graph.blocks.flatMap((block, i) => [
    ...blockNames(block, layers[i]?.arithmetic === true).keys(),
    ...(layers[i]?.state ?? []).map(({ name }) => `state.${name}`),
  ]);
  return [...endNames(graph).keys(), ...[...new Set(inBlocks)].map((name) => `blocks.i.${name}`), 'logits'];
}
