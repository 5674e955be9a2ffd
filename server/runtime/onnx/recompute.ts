import type { Bottleneck } from '../../graph/onnx/bottlenecks.js';
import { unknownValue } from '../../graph/onnx/errors.js';
import { nodesOf } from '../../graph/onnx/surgery.js';
import { LabError } from '../../protocol/errors.js';
import { gigabytes } from '../../tensor/bytes.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Feed } from '../device.js';
import type { HostTensor } from '../elements.js';
import { sliceAxis } from '../slices.js';
import type { TokenRange } from '../view.js';
import { feedsOf, returned } from './call.js';
import { grouped, hideScores, lastRows, layOut } from './layout.js';
import { blockNames, endNames, type NamedValue, ownName } from './names.js';
import type { OnnxSequence } from './sequence.js';
import { sliceRows } from './stateRows.js';
import { emptyState } from './tokenFeeds.js';

/** Above this a tensor is not sent in one piece: ask for a range of tokens. */
const LARGEST = 1 << 30;

const tooLarge = (name: string, bytes: number) =>
  new LabError({
    code: 'PROBE_TOO_LARGE',
    message: `${name} would take ${gigabytes(bytes)} at once.`,
    hint: 'Ask for fewer tokens at a time.',
  });

interface Wanted {
  readonly name: string;
  readonly how: NamedValue;
  /** The bottleneck that it is computed from. */
  readonly from: Bottleneck | null;
  readonly block: number | null;
}

/**
 * Values of a graph for some tokens, by a session that computes them and what lies between them and the bottleneck before. It starts at the
 * range itself where rows of the cache stand for the tokens before it, and at the first token where a state has no rows or nothing is cached.
 */
export async function readProbes(
  sequence: OnnxSequence,
  names: readonly string[],
  range: TokenRange,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, Tensor>> {
  const result = new Map<string, Tensor>();
  const groups = new Map<Bottleneck | null, Wanted[]>();
  for (const name of names) {
    const cached = await cachedRows(sequence, name, range);
    if (cached) result.set(name, cached);
    else {
      const wanted = resolve(sequence, name);
      groups.set(wanted.from, [...(groups.get(wanted.from) ?? []), wanted]);
    }
  }
  for (const [from, wanted] of groups)
    for (const [name, tensor] of await compute(sequence, wanted, from, range, signal)) result.set(name, tensor);
  return result;
}

/** `blocks.i.state.k` and `.v`: [K,S,E], the rows that the graph itself keeps. */
async function cachedRows({ model, stateName }: OnnxSequence, name: string, { to }: TokenRange): Promise<Tensor | null> {
  const [, block, which] = /^blocks\.(\d+)\.state\.([kv])$/.exec(name) ?? [];
  const state = model.graph.blocks[Number(block)]?.cache[which as 'k' | 'v'];
  if (!state || state.grows === null) return null;
  const held = (await model.device.read([stateName(state.input)])).get(stateName(state.input)) as HostTensor;
  return layOut(name, { layout: 'heads', heads: null }, sliceRows(held, state.grows, to));
}

function resolve({ model }: OnnxSequence, name: string): Wanted {
  const [, block, short] = /^blocks\.(\d+)\.(.+)$/.exec(name) ?? [];
  if (block !== undefined) {
    const index = Number(block);
    const own = model.graph.blocks[index];
    const how = own && blockNames(own, model.layers[index]?.arithmetic === true).get(short as string);
    if (how) return { name, how, from: startOf(model, how.value, own.enters), block: index };
  }
  const end = endNames(model.graph).get(name) ?? (name === 'logits' ? plain(model.tokens.logits) : null);
  const value = model.inspections.probes.has(name) ? name : ownName(name);
  if (!end && !model.inspections.probes.has(value)) throw unknownValue(name);
  const how = end ?? plain(value);
  return { name, how, from: startOf(model, how.value, null), block: null };
}

const plain = (value: string): NamedValue => ({ value, layout: 'tokens', heads: null, whole: false });

/** The last kept bottleneck before a value; its own for what a block reads of itself. */
function startOf({ graph, document }: OnnxSequence['model'], value: string, own: Bottleneck | null): Bottleneck | null {
  if (own?.values.includes(value)) return before(graph, own.node);
  if (own) return own;
  const origin = document.origins.get(value);
  return origin?.kind === 'node' ? before(graph, origin.node) : null;
}

const before = ({ blocks, head }: OnnxSequence['model']['graph'], node: number): Bottleneck | null =>
  [...blocks.map(({ enters }) => enters), head].filter((cut) => cut !== null && cut.node < node).at(-1) ?? null;

const compute = (
  sequence: OnnxSequence,
  wanted: readonly Wanted[],
  from: Bottleneck | null,
  range: TokenRange,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, Tensor>> => sequence.model.inspections.use(() => computed(sequence, wanted, from, range, signal));

async function computed(
  sequence: OnnxSequence,
  wanted: readonly Wanted[],
  from: Bottleneck | null,
  range: TokenRange,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, Tensor>> {
  const { model } = sequence;
  const { device, inspections, tokens } = model;
  const session = await inspections.get([...new Set(wanted.map(({ how }) => how.value))], from?.values ?? []);
  const states = tokens.states.filter(({ input }) => session.inputs.includes(input));
  const resumes = tokens.states.length > 0 && states.every(({ grows }) => grows !== null) && !recurs(sequence, wanted, from);
  const tokensRead = { from: resumes ? range.from : 0, to: range.to };
  guard(sequence, wanted, tokensRead);
  const held = resumes ? await device.read(states.map(({ input }) => sequence.stateName(input))) : new Map<string, HostTensor>();
  const give = (name: string): Feed => {
    const state = states.find(({ input }) => input === name);
    if (!state) return { kind: 'tensor', tensor: sequence.given(name, tokensRead) };
    const rows = held.get(sequence.stateName(name));
    return { kind: 'tensor', tensor: rows ? sliceRows(rows, state.grows as number, tokensRead.from) : emptyState(state) };
  };
  const feeds = feedsOf(model, session, sequence.ids, tokensRead, give);
  const out = await device.run([{ session: session.session, feeds, sinks: returned(session) }], signal ? { signal } : {});
  return new Map(wanted.map((each) => [each.name, trim(sequence, each, out[each.how.value] as HostTensor, tokensRead, range)]));
}

/** Whether a recurrence is on the way: its state is known at the first token only. */
function recurs({ model }: OnnxSequence, wanted: readonly Wanted[], from: Bottleneck | null): boolean {
  const { document, graph, inspections } = model;
  const { cut } = inspections.probes.cut([...new Set(wanted.map(({ how }) => how.value))], from?.values ?? []);
  const nodes = nodesOf(document, cut);
  return graph.blocks.some(
    ({ recurrence }) => recurrence !== null && (nodes.has(recurrence.node) || wanted.some(({ how }) => how.layout === 'steps')),
  );
}

function guard({ model }: OnnxSequence, wanted: readonly Wanted[], { from, to }: TokenRange): void {
  for (const { name, how, block } of wanted) {
    if (how.layout !== 'pattern') continue;
    const bytes = (model.layers[block ?? 0]?.heads ?? 1) * (to - from) * to * 4;
    if (bytes > LARGEST) throw tooLarge(name, bytes);
  }
}

function shown(
  { model }: Pick<OnnxSequence, 'model'>,
  name: string,
  block: number | null,
  tensor: Tensor,
  { from }: TokenRange,
): Tensor {
  const site = block === null ? null : model.graph.blocks[block]?.attention;
  return site?.scoresUnmasked && name.endsWith('.scores') ? hideScores(tensor, from, site.window) : tensor;
}

/** The rows of the range out of what was computed. */
function trim(
  { model }: OnnxSequence,
  { name, how, block }: Wanted,
  tensor: HostTensor,
  computed: TokenRange,
  range: TokenRange,
): Tensor {
  const laid = shown({ model }, name, block, layOut(name, how, tensor), computed);
  const rows = range.to - range.from;
  if (how.whole) return grouped(lastRows(laid, 1, rows), model.layers[block ?? 0]?.kvHeads ?? 1);
  const count = computed.to - computed.from;
  if (count === rows) return laid;
  const byToken = /\.z$/.test(name) || how.layout === 'steps' || how.layout === 'byToken';
  const axis = byToken ? 0 : how.layout === 'tokens' ? laid.shape.indexOf(count) : 1;
  return axis < 0 ? laid : sliceAxis(laid, axis, count - rows, count);
}
