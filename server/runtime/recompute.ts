import { VALUE_NAME } from '../graph/expose.js';
import type { Dim, Value } from '../graph/ir.js';
import { keepsOfDim, rowsDim } from '../graph/state.js';
import { LabError } from '../protocol/errors.js';
import { forgetsNothing, type Keeps, rowsKept } from '../protocol/keeps.js';
import type { StateSummary } from '../protocol/models.js';
import { gigabytes } from '../tensor/bytes.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Piece } from './compile.js';
import { type Feed, f32, i64 } from './device.js';
import type { HostTensor } from './elements.js';
import { feedsOf, inputRole } from './feeds.js';
import { lastKnown, STRIDE, statesBefore } from './fineStates.js';
import type { Rows } from './rows.js';
import type { Run } from './run.js';
import { placeKeys, sliceAxis } from './slices.js';
import type { LayerView, TokenRange } from './view.js';

/** Above this a tensor is not sent in one piece: ask for a range of tokens. */
const LARGEST = 1 << 30;

const mixedBlocks = (names: readonly string[]) =>
  new LabError({
    code: 'PROBE_UNKNOWN',
    message: `Probes ${names.join(', ')} are not of one block.`,
    hint: 'Ask for the probes of one block at a time.',
  });

const noCapture = () =>
  new LabError({ code: 'PROBE_UNKNOWN', message: 'This run kept no residual checkpoints.', hint: 'Run it again with capture.' });

const tooLarge = (names: readonly string[], bytes: number) =>
  new LabError({
    code: 'PROBE_TOO_LARGE',
    message: `${names.join(', ')} would take ${gigabytes(bytes)} at once.`,
    hint: 'Ask for fewer tokens at a time.',
  });

/**
 * Probes of one block for some tokens, by one run of a segment that holds this block alone (or embed, or head) and computes nothing else.
 * It starts where the state is known: for attention at the range itself with the cached rows before it, under a sliding window one window
 * earlier without any, for a recurrence at the last snapshot.
 */
export const recompute = (
  run: Run,
  names: readonly string[],
  range: TokenRange,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, Tensor>> => run.model.holding(() => compute(run, names, range, signal));

async function compute(
  run: Run,
  names: readonly string[],
  range: TokenRange,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, Tensor>> {
  const known = residuals(run, names, range);
  if (known) return known;
  const values = names.filter((name) => VALUE_NAME.test(name));
  if (values.length > 0 && values.length < names.length) {
    const probes = names.filter((name) => !VALUE_NAME.test(name));
    return new Map([...(await compute(run, probes, range, signal)), ...(await compute(run, values, range, signal))]);
  }
  const blocks = new Set(names.map((name) => /^blocks\.(\d+)\./.exec(name)?.[1] ?? 'ends'));
  if (blocks.size !== 1) throw mixedBlocks(names);
  const asked = values.length > 0 ? { values: new Set(values) } : { probes: new Set(names) };
  const [where] = blocks;
  const L = run.model.layers.length;
  if (where === 'ends') {
    const embed = names.every((name) => name === 'embed' || name.startsWith('embed.#'));
    const at = embed ? 0 : L;
    const piece = await run.inspection({ from: at, to: at, embed, head: !embed, ...asked }, range);
    return execute(run, piece, range, range, 0, signal);
  }
  const block = Number(where);
  const layer = run.model.layers[block];
  if (!layer) await run.inspection({ from: 0, to: 1, embed: false, head: false, probes: new Set(names) }, range); // says that it is unknown
  if (!run.model.capture) throw noCapture();
  const spec = { from: block, to: block + 1, embed: false, head: false, ...asked };
  const piece = await run.inspection(spec, range);
  const rows = rowStates(layer).filter((state) => names.includes(`blocks.${block}.state.${state.name}`));
  if (rows.length === 0) {
    const computed = await startOf(run, piece, layer as LayerView, range, signal);
    return execute(run, piece, computed, range, block, signal);
  }
  const result = await keptRows(run, layer as LayerView, rows, range.to, signal);
  const others = names.filter((name) => !result.has(name));
  if (others.length > 0) for (const [name, tensor] of await compute(run, others, range, signal)) result.set(name, tensor);
  return result;
}

const rowStates = (layer: LayerView | undefined): readonly StateSummary[] =>
  (layer?.state ?? []).filter((state) => state.kind === 'kv');

/** All rows that are kept after `to` tokens. States that are kept alike are computed together. */
async function keptRows(
  run: Run,
  layer: LayerView,
  states: readonly StateSummary[],
  to: number,
  signal?: AbortSignal,
): Promise<Map<string, Tensor>> {
  const result = new Map<string, Tensor>();
  const block = layer.index;
  for (const rule of new Set(states.map(({ keeps }) => rowsDim(keeps)))) {
    const alike = states.filter(({ keeps }) => rowsDim(keeps) === rule);
    const { keeps } = alike[0] as StateSummary;
    const from = forgetsNothing(keeps) ? 0 : to - rowsKept(keeps, to);
    const probes = new Set(alike.map(({ name }) => `blocks.${block}.state.${name}`));
    const first = Math.min(from, to - 1); // no segment runs without a token
    const spec = { from: block, to: block + 1, embed: false, head: false, probes };
    const piece = await run.inspection(spec, { from: first, to });
    const computed = { from: recurs(layer) ? lastKnown(run, block, first) : first, to };
    for (const [name, tensor] of await execute(run, piece, computed, { from, to }, block, signal)) result.set(name, tensor);
  }
  return result;
}

/** The residual stream between blocks is kept: nothing needs to be computed. Null when anything else is asked for. */
function residuals(run: Run, names: readonly string[], { from, to }: TokenRange): ReadonlyMap<string, Tensor> | null {
  if (!run.model.capture) return null;
  const rows = names.map((name) => {
    const [, block, side] = /^blocks\.(\d+)\.resid_(pre|post)$/.exec(name) ?? [];
    return block === undefined || Number(block) >= run.model.layers.length
      ? null
      : run.resid[Number(block) + (side === 'post' ? 1 : 0)];
  });
  if (!rows.every((kept) => kept)) return null;
  return new Map(
    names.map((name, i) => {
      const kept = rows[i] as Rows;
      return [name, { shape: [to - from, kept.width], data: kept.slice(from, to) }];
    }),
  );
}

/** What the segment must see so that every token of the range comes out exact: the range itself when it reads no state. */
export async function startOf(
  run: Run,
  piece: Piece,
  layer: LayerView,
  range: TokenRange,
  signal?: AbortSignal,
): Promise<TokenRange> {
  if (!piece.graph.inputs.some(({ name }) => inputRole(name).role === 'state')) return range;
  const reaching = rowStates(layer).map(({ keeps }) =>
    forgetsNothing(keeps) ? range.from : range.from - rowsKept(keeps, range.from),
  );
  return { from: await nearer(run, layer, Math.min(range.from, ...reaching), signal), to: range.to };
}

const recurs = ({ state }: LayerView): boolean => state.some(({ kind }) => kind !== 'kv');

/**
 * Where a segment begins that must see token `at`: with a recurrence, where its state is known. From far away only the state is brought nearer, which
 * costs less than all that a segment shows, and stays known.
 */
async function nearer(run: Run, layer: LayerView, at: number, signal?: AbortSignal): Promise<number> {
  if (!recurs(layer)) return at;
  const { index } = layer;
  const known = lastKnown(run, index, at);
  // up to where the tokens asked for are computed in one way with those before them
  const to = Math.max(Math.floor(at / STRIDE) * STRIDE, run.alike({ from: 0, to: at + 1 }).at(-1)?.from ?? 0);
  if (to <= known) return known;
  const spec = { from: index, to: index + 1, embed: false, head: false, leaves: true };
  for (const range of run.alike({ from: known, to })) {
    const piece = await run.inspection(spec, range);
    const left = await execute(run, piece, range, range, index, signal);
    const states = [...left].map(
      ([name, { shape, data }]) => [run.key + name.slice(0, -'.new'.length), f32(shape, data)] as const,
    );
    run.fine.set(index, range.to, new Map(states));
  }
  return to;
}

/** Cached rows that stand before a computed range: rows of a window or chunk are computed again instead. */
const keptBefore = (keeps: Keeps, { from }: TokenRange): number => (forgetsNothing(keeps) ? rowsKept(keeps, from) : 0);

async function execute(
  run: Run,
  piece: Piece,
  computed: TokenRange,
  wanted: TokenRange,
  block: number,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, Tensor>> {
  guard(piece, computed);
  const feeds = inspectionFeeds(run, piece, computed, block);
  const sinks = Object.fromEntries([...piece.graph.outputs.keys()].map((name) => [name, [{ kind: 'return', name }] as const]));
  const out = await run.model.device.run([{ session: piece.session, feeds, sinks }], signal ? { signal } : {});
  const result = new Map<string, Tensor>();
  for (const [name, value] of piece.graph.outputs)
    result.set(name, trim(name, value, out[name] as HostTensor, { run, block, computed, wanted }));
  return result;
}

/** What a segment of one block (or of an end) is given to compute these tokens. */
export function inspectionFeeds(run: Run, piece: Piece, computed: TokenRange, block: number): Readonly<Record<string, Feed>> {
  const T = computed.to - computed.from;
  const D = run.model.bound.config.dModel;
  const snapshot = statesBefore(run, block, computed.from);
  const tensor = (value: HostTensor): Feed => ({ kind: 'tensor', tensor: value });
  return feedsOf(piece.graph, (input) => {
    switch (input.role) {
      case 'tokens':
        return tensor(i64([1, T], run.ids.slice(computed.from, computed.to)));
      case 'past':
        return tensor(i64([1], [computed.from]));
      case 'reach':
        return tensor(run.reads.tensor(computed.from, computed.to));
      case 'resid':
        return tensor(f32([1, T, D], (run.resid[piece.spec.from] as Rows).slice(computed.from, computed.to)));
      case 'carry': {
        const carry = run.carries.get(input.carry) as Rows;
        return tensor(f32([1, T, carry.width], carry.slice(computed.from, computed.to)));
      }
      case 'kept':
        return tensor(i64([1], [keptBefore(keepsOf(run, input.block, input.state), computed)]));
      case 'state':
        return stateFeed(run, piece, input.block, input.state, snapshot, computed);
      default:
        throw new RangeError('an inspection has no interventions');
    }
  });
}

/** How the rows of a state are kept; of the first when none is named. */
function keepsOf(run: Run, block: number, name?: string): Keeps {
  const states = rowStates(run.model.layers[block]);
  return (states.find((state) => state.name === name) ?? states[0])?.keeps ?? null;
}

/** kv: the live rows before the range; recurrent state: the snapshot, or zeros at the start. */
function stateFeed(
  run: Run,
  piece: Piece,
  block: number,
  name: string,
  snapshot: ReadonlyMap<string, HostTensor> | undefined,
  computed: TokenRange,
): Feed {
  const key = run.stateName(block, name);
  const input = piece.graph.inputs.find((v) => v.name === `blocks.${block}.state.${name}.past`) as Value;
  // a graph does not take arrays without rows: one that is masked stands for none
  if (input.shape.some((d, axis) => axis > 0 && typeof d === 'string'))
    return { kind: 'state', name: key, rows: Math.max(1, keptBefore(keepsOf(run, block, name), computed)) };
  const dims = [1, ...(input.shape.slice(1) as number[])];
  const known = snapshot?.get(key)?.data as Float32Array | undefined;
  return { kind: 'tensor', tensor: f32(dims, known ?? new Float32Array(dims.reduce((n, d) => n * d, 1))) };
}

interface Trimming {
  readonly run: Run;
  readonly block: number;
  readonly computed: TokenRange;
  readonly wanted: TokenRange;
}

/** Drops the batch, the tokens before the range, and cached rows and key columns that hold nothing. */
function trim(name: string, value: Value, tensor: HostTensor, { run, block, computed, wanted }: Trimming): Tensor {
  const batched = value.shape[0] === 'B';
  const axes = value.shape.slice(batched ? 1 : 0);
  const data = tensor.data instanceof Float32Array ? tensor.data : Float32Array.from(tensor.data as ArrayLike<number>, Number);
  let result: Tensor = { shape: tensor.dims.slice(batched ? 1 : 0), data };
  for (const [axis, size] of axes.entries()) {
    if (typeof size === 'string' && /(^|·)T$/.test(size) && wanted.from > computed.from)
      result = sliceTokens(result, axis, computed, wanted);
    const rows = typeof size === 'string' ? rowsNamed(size, run, block, computed) : null;
    if (rows?.of === 'cached') result = sliceAxis(result, axis, 0, rows.kept);
    if (rows?.of === 'all' && axis === axes.length - 1) {
      const { kept, fresh } = rows;
      const empty = name.endsWith('.scores') ? Number.NEGATIVE_INFINITY : 0;
      // a probe has a column for every position, a value by the graph's own name only those that were computed
      const first = VALUE_NAME.test(name) ? 0 : rows.first;
      result = placeKeys(result, { kept, fresh, first, total: first + kept + fresh, empty });
    }
  }
  return result;
}

/** Tokens of an axis T, or of one that holds all tokens of each head of a group behind those of the head before, `G·T`. */
function sliceTokens({ shape, data }: Tensor, axis: number, computed: TokenRange, wanted: TokenRange): Tensor {
  const T = computed.to - computed.from;
  const outer = (shape[axis] as number) / T;
  const apart = { shape: shape.toSpliced(axis, 1, outer, T), data };
  const cut = sliceAxis(apart, axis + 1, wanted.from - computed.from, wanted.to - computed.from);
  return { shape: shape.toSpliced(axis, 1, outer * (wanted.to - wanted.from)), data: cut.data };
}

/** What an axis of rows holds: `C.…` the cached ones with the room for more, `C.…+…`, `S` and `S.NAME` those and the new ones behind them. */
function rowsNamed(size: string, run: Run, block: number, computed: TokenRange) {
  const [, cached, fresh] = /^(C\.[^+]+)(\+.+)?$/.exec(size) ?? [];
  const [, named, state] = /^(S)(?:\.(\w+))?$/.exec(size) ?? [];
  if (cached === undefined && named === undefined) return null;
  const keeps = cached === undefined ? keepsOf(run, block, state) : keepsOfDim(cached);
  const kept = keptBefore(keeps, computed);
  if (cached !== undefined && fresh === undefined) return { of: 'cached', kept } as const;
  const perToken = typeof keeps !== 'object' || keeps === null || 'chunk' in keeps;
  const made = perToken ? computed.to - computed.from : rowsKept(keeps, computed.to) - kept;
  return { of: 'all', kept, fresh: made, first: perToken ? computed.from - kept : 0 } as const;
}

/** No axis of rows is longer than the tokens so far. Errors: PROBE_TOO_LARGE. */
function guard(piece: Piece, { from, to }: TokenRange): void {
  const sizeOf = (size: Dim) => {
    if (typeof size === 'number') return size;
    if (size === 'B') return 1;
    return /^[CS]/.test(size) ? to : to - from;
  };
  const bytes = [...piece.graph.outputs.values()].map(({ shape }) => shape.reduce<number>((n, size) => n * sizeOf(size), 4));
  const total = bytes.reduce((a, b) => a + b, 0);
  if (total > LARGEST) throw tooLarge([...piece.graph.outputs.keys()], total);
}
