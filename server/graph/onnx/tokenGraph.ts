import type { Dim } from '../ir.js';
import { intOf } from './attributes.js';
import type { OnnxDocument } from './document.js';
import { typeOf, type ValueType } from './types.js';

/** How an input that is neither tokens nor state is filled in: 1 for every position so far, their numbers, zeros, or one value. */
export type Filler = 'ones' | 'positions' | 'zeros' | { readonly value: number };

export interface FilledInput {
  readonly name: string;
  readonly dtype: string;
  readonly filler: Filler;
  /** `new` and `all` stand for the tokens of a call and for all so far. */
  readonly shape: readonly (number | 'new' | 'all')[];
}

/** What a call leaves to the next one: an output that goes in again. */
export interface PassedState {
  readonly input: string;
  readonly output: string;
  readonly dtype: string;
  /** Before the first token; the axis that gains a row a token is 0. */
  readonly shape: readonly number[];
  /** That axis; null for state of fixed size. */
  readonly grows: number | null;
}

/** What a graph of tokens is given: ids, and what follows from how many they are. */
export interface TokenInputs {
  readonly ids: { readonly name: string; readonly dtype: string };
  readonly filled: readonly FilledInput[];
  readonly states: readonly PassedState[];
}

/** A graph that reads tokens and says how likely each is to be the next. */
export interface TokenGraph extends TokenInputs {
  readonly logits: string;
}

/** Names that exporters give to what goes out and comes in again (optimum, transformers.js, onnxruntime-genai, by hand). */
const renamings: readonly (readonly [RegExp, string])[] = [
  [/^past_key_values/, 'present'],
  [/^past_key_values/, 'present_key_values'],
  [/^past/, 'present'],
  [/^(.*)_in$/, '$1_out'],
  [/^in_(.*)$/, 'out_$1'],
  [/^(.*)$/, 'new_$1'],
  [/^(.*)$/, '$1_out'],
  [/^(.*)$/, '$1_new'],
  [/^(.*)$/, 'next_$1'],
];

const integers = new Set(['I64', 'I32']);

/** The reason for a graph that is no language model of this kind. */
export function tokenGraphOf(document: OnnxDocument): TokenGraph | { readonly reason: string } {
  const inputs = tokenInputsOf(document);
  if ('reason' in inputs) return inputs;
  const logits = logitsOf(document, new Set(inputs.states.map(({ output }) => output)));
  return logits === null ? { reason: 'it has no output of logits [batch, tokens, vocabulary]' } : { ...inputs, logits };
}

/** The same of any graph that reads tokens. */
export function tokenInputsOf(document: OnnxDocument): TokenInputs | { readonly reason: string } {
  const inputs = new Map(
    document.inputs.map((name) => [name, typeOf(document.graph.input.find((input) => input.name === name)?.type)]),
  );
  const named = [...inputs].filter(([name]) => /^(decoder_)?input_ids$/.test(name));
  const [ids] =
    named.length > 0 ? named : [...inputs].filter(([, type]) => integers.has(type.dtype ?? '') && type.shape?.length === 2);
  if (!ids || !integers.has(ids[1].dtype ?? '') || ids[1].shape?.length !== 2) return { reason: 'it has no input_ids' };
  const batch = ids[1].shape[0] as Dim;
  const filled: FilledInput[] = [];
  const states: PassedState[] = [];
  for (const [name, type] of inputs) {
    if (name === ids[0]) continue;
    const own = filledInput(name, type) ?? passedState(document, name, type, batch);
    if (own === null) return { reason: `nothing says what its input ${name} is to be given` };
    if ('filler' in own) filled.push(own);
    else states.push(own);
  }
  return { ids: { name: ids[0], dtype: ids[1].dtype as string }, filled, states };
}

function logitsOf({ graph }: OnnxDocument, states: ReadonlySet<string>): string | null {
  const others = graph.output.filter(({ name }) => !states.has(name));
  const named = others.find(({ name }) => /(^|_)logits$/.test(name));
  const only = named ?? (others.length === 1 ? others[0] : undefined);
  const shape = only && typeOf(only.type).shape;
  return only && (shape === null || shape?.length === 3) ? only.name : null;
}

function filledInput(name: string, { dtype, shape }: ValueType): FilledInput | null {
  if (dtype === null || shape === null) return null;
  const of = (filler: Filler, last: 'new' | 'all' | null): FilledInput => ({
    name,
    dtype,
    filler,
    // a leading batch, or the parts of a position
    shape:
      last === null ? shape.map(() => 1) : [...shape.slice(0, -1).map((size) => (typeof size === 'number' ? size : 1)), last],
  });
  if (name === 'attention_mask' && shape.length === 2) return of('ones', 'all');
  if (name === 'position_ids' && (shape.length === 2 || shape.length === 3)) return of('positions', 'new');
  if (name === 'cache_position' && shape.length === 1) return of('positions', 'new');
  if (name === 'token_type_ids' && shape.length === 2) return of('zeros', 'new');
  if (name === 'use_cache_branch') return of({ value: 1 }, null);
  // 0 keeps them all
  if (/^(num_)?logits_to_keep$/.test(name)) return of({ value: 0 }, null);
  return null;
}

function passedState(document: OnnxDocument, input: string, { dtype, shape }: ValueType, batch: Dim): PassedState | null {
  if (dtype === null || shape === null) return null;
  const outputs = new Set(document.outputs);
  const output = renamings.map(([from, to]) => input.replace(from, to)).find((name) => name !== input && outputs.has(name));
  if (output === undefined) return null;
  const given = typeOf(document.graph.output.find(({ name }) => name === output)?.type).shape;
  const isBatch = (size: Dim, axis: number) =>
    typeof size === 'string' && (typeof batch === 'string' && batch !== '?' ? size === batch : axis === 0);
  // Of the axes without a number, the one whose name changes on the way through is the one that grows.
  const open = shape.flatMap((size, axis) => (typeof size === 'string' && !isBatch(size, axis) ? [axis] : []));
  const changing = open.filter((axis) => given?.[axis] !== shape[axis]);
  const grows = open.length <= 1 ? (open[0] ?? null) : changing.length === 1 ? (changing[0] as number) : null;
  const known = shape.map((size, axis) =>
    typeof size === 'number' ? size : isBatch(size, axis) ? 1 : axis === grows ? 0 : headSize(document, input, axis),
  );
  return known.some((size) => size === null) ? null : { input, output, dtype, shape: known as number[], grows };
}

/** A size that only has a name: that of a head, from the operator that reads the keys and values. */
function headSize(document: OnnxDocument, input: string, axis: number): number | null {
  const reader = axis === 3 ? document.graph.node.find((node) => node.input.includes(input)) : undefined;
  if (!reader || !['GroupQueryAttention', 'MultiHeadAttention'].includes(reader.opType)) return null;
  const [width, heads] = [widthOf(document, reader.output[0] ?? ''), intOf(reader, 'num_heads', 0)];
  if (width !== null && heads > 0) return width / heads;
  const packed = widthOf(document, reader.input[0] ?? '');
  return packed !== null && reader.input[1] === '' ? packed / (heads + 2 * intOf(reader, 'kv_num_heads', heads)) : null;
}

/** Size of the last axis of a value, where the model declares it or its weights say it. */
export function widthOf(document: OnnxDocument, value: string): number | null {
  const declared = typeOf(document.graph.valueInfo.find(({ name }) => name === value)?.type).shape?.at(-1);
  if (typeof declared === 'number') return declared;
  const stored = document.graph.initializer.find(({ name }) => name === value);
  if (stored) return stored.dims.length > 0 ? Number(stored.dims.at(-1)) : null;
  const node = document.producer(value);
  if (node?.opType === 'MatMul') return widthOf(document, node.input[1] ?? '');
  if (node?.opType === 'MatMulNBits') return intOf(node, 'N', 0) || null;
  return node?.opType === 'Add' ? (widthOf(document, node.input[0] ?? '') ?? widthOf(document, node.input[1] ?? '')) : null;
}
