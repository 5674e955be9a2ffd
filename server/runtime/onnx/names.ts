import { VALUE_NAME } from '../../graph/expose.js';
import type { GraphBlock, GraphBlocks } from '../../graph/onnx/blocks.js';
import type { AttentionSite, HeadValue, RecurrentSite, StepValue } from '../../graph/onnx/sites.js';

/** How the axes of a value lie: those of heads, of a pattern, [B,T,…], of every step [T,B,…], or heads of every token [B,T,H·E]. */
export type Layout = HeadValue['layout'] | 'pattern' | 'tokens' | 'steps' | 'byToken';

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
export function blockNames({ attention, recurrence, resid }: GraphBlock, arithmetic: boolean): ReadonlyMap<string, NamedValue> {
  const all = {
    resid_pre: named(resid.pre),
    ...(attention && attentionNames(attention, arithmetic)),
    ...(recurrence && recurrenceNames(recurrence)),
    resid_mid: named(resid.mid),
    resid_post: named(resid.post),
  };
  return new Map(Object.entries(all).flatMap(([name, value]) => (value ? [[name, value] as const] : [])));
}

const attentionNames = ({ q, k, v, scores, pattern: weights, z }: AttentionSite, arithmetic: boolean) => ({
  'attn.q': arithmetic ? ofHeads(q) : null,
  // what is multiplied is turned already, so that both names mean the same
  'attn.rot_q': arithmetic ? ofHeads(q) : null,
  'attn.k': arithmetic ? ofHeads(k, true) : null,
  'attn.rot_k': arithmetic ? ofHeads(k, true) : null,
  'attn.v': ofHeads(v, true),
  'attn.scores': arithmetic ? pattern(scores) : null,
  'attn.pattern': pattern(weights),
  'attn.z': ofHeads(z),
});

const recurrenceNames = ({ states, probes }: RecurrentSite): Record<string, NamedValue> => ({
  ...Object.fromEntries(Object.entries(probes).map(([name, value]) => [name, everyStep(value)])),
  ...Object.fromEntries(Object.entries(states).map(([name, value]) => [`state.${name}`, everyStep(value)])),
});

const everyStep = ({ value, layout, heads }: StepValue): NamedValue => ({
  value,
  layout: layout === 'steps' ? 'steps' : 'byToken',
  heads,
  whole: false,
});

/** Names outside the blocks. */
export function endNames({ embed, head }: GraphBlocks): ReadonlyMap<string, NamedValue> {
  const all = { embed: named(embed), ln_final: named(head?.values[0] ?? null) };
  return new Map(Object.entries(all).flatMap(([name, value]) => (value ? [[name, value] as const] : [])));
}

/** Every name that is not the graph's own: those of the blocks, and those outside. */
export function aliases(
  graph: GraphBlocks,
  layers: readonly { readonly arithmetic: boolean; readonly state: readonly { readonly name: string }[] }[],
): string[] {
  const inBlocks = graph.blocks.flatMap((block, i) => {
    const own = [...blockNames(block, layers[i]?.arithmetic === true).keys()];
    const state = (layers[i]?.state ?? []).map(({ name }) => `state.${name}`);
    return [...new Set([...own, ...state])].map((name) => `blocks.${i}.${name}`);
  });
  return [...endNames(graph).keys(), ...inBlocks, 'logits'];
}

/** The graph's own name of a value that the architecture view asks for within a part (expose.ts); as it is otherwise. */
export const ownName = (name: string): string => VALUE_NAME.exec(name)?.[2] ?? name;

/** The names of all blocks in full, each with its value. */
export const fullNames = ({ blocks }: GraphBlocks): ReadonlyMap<string, NamedValue> =>
  new Map(blocks.flatMap((block, i) => [...blockNames(block, true)].map(([name, how]) => [`blocks.${i}.${name}`, how] as const)));
