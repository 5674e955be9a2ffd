import type { AttentionSpec } from '../../graph/blocks/attention.js';
import type { GraphBlock } from '../../graph/onnx/blocks.js';
import type { AttentionSite, RecurrentSite } from '../../graph/onnx/sites.js';
import type { StateSummary } from '../../protocol/models.js';
import { dot } from '../../tensor/reduce.js';
import { sizeOf, type Tensor } from '../../tensor/tensor.js';
import { floatsOf, type HostTensor } from '../elements.js';
import type { LayerView } from '../view.js';
import { feedsOf, returned } from './call.js';
import { grouped, layOut } from './layout.js';
import { blockNames } from './names.js';
import type { Compiled, Measured } from './sequenceModel.js';
import type { GraphSession } from './sessions.js';
import { emptyState } from './tokenFeeds.js';

/** A block as views see it, and whether its scores are what q and k, as recognised, make. */
export interface GraphLayer extends LayerView {
  readonly arithmetic: boolean;
}

/** The arithmetic of a pattern must come out this close for q and k to be shown as its factors. */
const TOLERANCE = 1e-3;
const FLOAT = 4;

/** Runs two tokens through the graph and reads what it does not declare: sizes, heads, whether it looks ahead, whether q·k explains a pattern. */
export async function measure(model: Compiled): Promise<Measured> {
  const { chain, tokens } = model;
  const twoTokens = async (second: number) => {
    const body = await call(model, chain.body, [0, second], new Map());
    const out = chain.head ? await call(model, chain.head, [0, second], body) : body;
    return { body, logits: out.get(tokens.logits) as HostTensor };
  };
  const { body, logits } = await twoTokens(1);
  const [T, V] = logits.dims.slice(-2) as [number, number];
  const other = tokens.states.length > 0 ? null : (await twoTokens(V > 2 ? 2 : 0)).logits;
  const causal = T === 2 && (other === null || sameRow(floatsOf(logits), floatsOf(other), V));
  const kept = new Map(chain.kept.map((name) => [name, sizesOf((body.get(name) as HostTensor).dims)]));
  const read: ReadValues = (names) =>
    model.inspections.use(async () => call(model, await model.inspections.get(names), [0, 1], new Map()));
  const seen = causal ? await insides(model.graph.blocks, read) : [];
  // a loop that does not go from token to token is none of ours
  const blocks = model.graph.blocks.flatMap((block, i) =>
    isBlock(block, seen[i] ?? null) ? [{ block, seen: seen[i] ?? null }] : [],
  );
  const layers = blocks.map(({ block, seen: values }, index) => layerOf(block, index, values));
  const dModel = kept.get(chain.kept[0] ?? '')?.at(-1) ?? 0;
  return { vocab: V, dModel, layers, graph: { ...model.graph, blocks: blocks.map(({ block }) => block) }, kept, causal };
}

/** The sizes of a value of two tokens, with 0 for theirs: the first axis of two behind axes of one. */
function sizesOf(dims: readonly number[]): number[] {
  const axis = dims.findIndex((size) => size !== 1);
  return dims.map((size, i) => (i === axis ? 0 : size));
}

const isBlock = ({ recurrence }: GraphBlock, seen: ReadonlyMap<string, Tensor> | null): boolean =>
  recurrence === null ||
  (seen !== null && Object.keys(recurrence.states).every((name) => seen.get(`state.${name}`)?.shape[0] === 2));

const sameRow = (a: Float32Array, b: Float32Array, width: number): boolean =>
  a.subarray(0, width).every((value, i) => Math.abs(value - (b[i] as number)) <= 1e-4 * (1 + Math.abs(value)));

async function call(
  model: Compiled,
  session: GraphSession,
  ids: readonly number[],
  values: ReadonlyMap<string, HostTensor>,
): Promise<ReadonlyMap<string, HostTensor>> {
  const feeds = feedsOf(model, session, ids, { from: 0, to: ids.length }, (name) => {
    const state = model.tokens.states.find(({ input }) => input === name);
    return { kind: 'tensor', tensor: state ? emptyState(state) : (values.get(name) as HostTensor) };
  });
  return new Map(Object.entries(await model.device.run([{ session: session.session, feeds, sinks: returned(session) }])));
}

type ReadValues = (names: readonly string[]) => Promise<ReadonlyMap<string, HostTensor>>;

/** Pattern, scores, q and k, or the states, of every block for two tokens. */
async function insides(blocks: readonly GraphBlock[], read: ReadValues): Promise<ReadonlyMap<string, Tensor>[]> {
  const wanted = blocks.map((block) =>
    [...blockNames(block, true)].filter(([name]) => /^(attn\.(pattern|scores|q|k)|state\.\w+)$/.test(name)),
  );
  const names = [...new Set(wanted.flatMap((all) => all.map(([, { value }]) => value)))];
  const values = names.length > 0 ? await read(names) : new Map<string, HostTensor>();
  return wanted.map((all) => new Map(all.map(([name, how]) => [name, layOut(name, how, values.get(how.value) as HostTensor)])));
}

/** The blocks of a graph of one pass over two words. */
export async function measureBlocks(blocks: readonly GraphBlock[], read: ReadValues): Promise<GraphLayer[]> {
  const seen = await insides(blocks, read);
  return blocks.map((block, i) => layerOf(block, i, seen[i] ?? null));
}

function layerOf(block: GraphBlock, index: number, seen: ReadonlyMap<string, Tensor> | null): GraphLayer {
  return block.attention ? attentionLayer(block.attention, block.cache, index, seen) : recurrentLayer(block, index, seen);
}

/** What a recurrence keeps, in the sizes it was seen in. */
function recurrentLayer({ recurrence }: GraphBlock, index: number, seen: ReadonlyMap<string, Tensor> | null): GraphLayer {
  const { mixer, states } = recurrence as RecurrentSite;
  const state = Object.keys(states).map((name): StateSummary => {
    const shape = seen?.get(`state.${name}`)?.shape.slice(1) ?? [];
    return { name, kind: 'matrix', shape, bytesFixed: sizeOf(shape) * FLOAT, bytesPerToken: 0, keeps: null };
  });
  const [first = 1, , headDim = 1] = (state[0]?.shape ?? []) as readonly number[];
  const heads = state[0]?.shape.length === 3 ? first : 1;
  return { index, mixer, heads, kvHeads: heads, headDim, window: null, state, attention: null, arithmetic: false };
}

function attentionLayer(
  attention: AttentionSite,
  cache: GraphBlock['cache'],
  index: number,
  seen: ReadonlyMap<string, Tensor> | null,
): GraphLayer {
  const pattern = seen?.get('attn.pattern');
  const [q, k] = [seen?.get('attn.q'), seen?.get('attn.k')];
  const heads = pattern?.shape[0] ?? 1;
  const kvHeads = cache.k?.shape[cache.k.shape.length - 3] ?? k?.shape[0] ?? heads;
  const headDim = q?.shape.at(-1) ?? cache.k?.shape.at(-1) ?? 1;
  const scale = attention.scale ?? 1 / Math.sqrt(headDim);
  const spec: AttentionSpec = {
    heads,
    kvHeads,
    headDim,
    scale,
    softcap: attention.softcap,
    window: attention.window,
    rope: null,
    ...(pattern && looksAhead(pattern) && { causal: false }),
  };
  return {
    index,
    mixer: 'attention',
    heads,
    kvHeads,
    headDim,
    window: attention.window,
    state: stateOf(cache, kvHeads, headDim),
    attention: spec,
    arithmetic: seen !== null && explains(spec, seen),
  };
}

/** Whether the first of two tokens reads the second. */
const looksAhead = ({ data }: Tensor): boolean => (data[1] as number) > 0;

const stateOf = ({ k, v }: GraphBlock['cache'], kvHeads: number, headDim: number): StateSummary[] =>
  [k, v].flatMap((state, i) =>
    state && state.grows !== null
      ? [
          {
            name: i === 0 ? 'k' : 'v',
            kind: 'kv',
            shape: [kvHeads, 'S', state.shape.at(-1) ?? headDim],
            bytesFixed: 0,
            bytesPerToken: kvHeads * (state.shape.at(-1) ?? headDim) * FLOAT,
            keeps: null,
          } as const,
        ]
      : [],
  );

/** Whether the weights of the second token are those of softmax(scale · q·k): no bias by position, no sinks, nothing that was not recognised. */
function explains({ heads, kvHeads, scale, softcap }: AttentionSpec, seen: ReadonlyMap<string, Tensor>): boolean {
  const [pattern, scores, q, keys] = ['pattern', 'scores', 'q', 'k'].map((name) => seen.get(`attn.${name}`));
  if (!pattern || !scores || !q || !keys) return false;
  const k = grouped(keys, kvHeads);
  const E = q.shape.at(-1) as number;
  const row = ({ data }: Tensor, head: number, token: number) =>
    data.subarray((head * 2 + token) * E, (head * 2 + token + 1) * E);
  for (let head = 0; head < heads; head++) {
    const group = Math.floor((head * kvHeads) / heads);
    const [a, b] = [0, 1].map((key) => {
      const scaled = scale * dot(row(q, head, 1), row(k, group, key));
      return softcap === null ? scaled : softcap * Math.tanh(scaled / softcap);
    }) as [number, number];
    const [w0, w1] = pattern.data.subarray(head * 4 + 2, head * 4 + 4) as unknown as [number, number];
    const [s0, s1] = scores.data.subarray(head * 4 + 2, head * 4 + 4) as unknown as [number, number];
    const off = Math.max(Math.abs(a - s0), Math.abs(b - s1), Math.abs(w0 + w1 - 1), Math.abs(Math.log(w1 / w0) - (b - a)));
    if (!(off <= TOLERANCE * (1 + Math.abs(a) + Math.abs(b)))) return false;
  }
  return true;
}
