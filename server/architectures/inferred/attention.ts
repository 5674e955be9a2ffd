import type { AttentionSpec } from '../../graph/blocks/attention.js';
import { dividedBy, LONG_FACTORS, ROPE_FACTORS, type Rope, type RopeParameters, rope } from '../../graph/blocks/rope.js';
import type { Evidence } from './evidence.js';
import { architectureOf, isGguf } from './ggufKnown.js';
import { likelyPairs, type Recognised } from './known.js';
import type { Rule } from './shapes.js';
import type { Draft } from './spec.js';

/** Keys of a table of RoPE that rope.ts reads, and those that only tell how it was trained. */
const ROPE_KEYS = new Set([
  ...['rope_type', 'type', 'rope_theta', 'factor', 'original_max_position_embeddings', 'partial_rotary_factor', 'truncate'],
  ...['low_freq_factor', 'high_freq_factor', 'beta_fast', 'beta_slow', 'mscale', 'mscale_all_dim', 'attention_factor'],
  ...['short_factor', 'long_factor', 'max_position_embeddings', 'finetuned'],
]);

type Table = Readonly<Record<string, unknown>>;
const isTable = (value: unknown): value is Table => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The table of RoPE, by kind of layer when it has one for each. */
function ropeTables(e: Evidence): { readonly byKind: boolean; readonly tables: readonly Table[] } {
  const found = e.value('rope_parameters', 'rope_scaling')?.value;
  if (!isTable(found)) return { byKind: false, tables: [] };
  const inner = Object.values(found).filter(isTable);
  return inner.length > 0 ? { byKind: true, tables: inner } : { byKind: false, tables: [found] };
}

const SPEAKING = ['rope_theta', 'rope_parameters', 'rope_scaling', 'rotary_dim', 'rotary_pct', 'rotary_emb_base'];

/** Whether anything in the config speaks of RoPE. */
const speaks = (e: Evidence): boolean =>
  [...SPEAKING, 'partial_rotary_factor'].some((key) => (e.config.raw[key] ?? null) !== null);

/** LongRoPE's divisors are tensors in a GGUF. */
function withDivisors(p: RopeParameters, { tensors }: Evidence): RopeParameters {
  const stored = (key: string) => tensors.values?.get(LONG_FACTORS[key] ?? '');
  return { ...p, list: (key) => p.list(key) ?? (stored(key) ? Array.from(stored(key) as Float32Array) : null) };
}

function ropeOf(e: Evidence, headDim: number, known: Recognised, kind: string | null): Rope | null {
  const base = e.number('rotary_emb_base')?.value ?? known.theta;
  const p = withDivisors(e.config.rope(base, kind), e);
  const told = [e.config.raw, ...ropeTables(e).tables].some(({ rope_theta }) => (rope_theta ?? null) !== null);
  e.read.add('rope_theta');
  if (!told && base === undefined) e.problem('no rope_theta: how fast queries and keys turn cannot be told');
  const own = e.number('rotary_dim')?.value;
  const share = e.number('partial_rotary_factor', 'rotary_pct', 'rope_pct')?.value ?? p.get('partial_rotary_factor') ?? 1;
  const dims = own ?? Math.floor(headDim * share);
  if (dims > 0 && dims % 2 === 0 && dims <= headDim)
    return dividedBy(rope(dims, p, known.interleaved ? 'interleaved' : 'half'), e.tensors.values?.get(ROPE_FACTORS));
  e.problem(`RoPE on ${dims} of ${headDim} dimensions`);
  return null;
}

/** Which of a head's dimensions turn, how fast, and in which pairs. */
export const turning: Rule = (e, draft, known) => {
  const [spec] = draft.attention ?? [];
  for (const key of SPEAKING) e.read.add(key); // also when what is missing keeps them from being read
  if (!spec || !draft.norm) return;
  if (e.flag('alibi') === true) return e.problem('alibi is true: positions by distance are not built');
  const { byKind, tables } = ropeTables(e);
  for (const key of tables.flatMap((table) => Object.keys(table)))
    if (!ROPE_KEYS.has(key)) e.problem(`rope_parameters.${key} is unknown, and may turn queries and keys otherwise`);
  if (!speaks(e)) {
    if (draft.positions) return;
    return e.problem('no positions: neither learned ones nor a key of RoPE such as rope_theta');
  }
  if (draft.positions) return e.problem(`both learned positions (${draft.positions.name}) and RoPE`);
  const style = e.value('rope_interleave', 'rope_interleaved', 'interleaved')?.value;
  const told = typeof style === 'boolean' ? style : known.interleaved;
  const likely = likelyPairs(e);
  const interleaved = told ?? likely.interleaved;
  // Beside Llama's names it is MiniMax's.
  if (told === undefined && e.number('rotary_dim') && !draft.out?.startsWith('self_attn.'))
    return e.problem('rotary_dim: GPT-J turns neighbours, others halves; which it is only rope_interleave could tell');
  const kinds = byKind ? ['full_attention', 'sliding_attention'] : [null];
  const turns = new Map(kinds.map((kind) => [kind, ropeOf(e, spec.headDim, { ...known, interleaved }, kind)]));
  const [first] = turns.values();
  if (!first) return;
  const { dims, stretch } = first;
  e.say(`RoPE on ${dims} of ${spec.headDim} dimensions of a head`, 'rope_theta, rope_parameters and head_dim');
  const pairs = interleaved ? 'neighbouring dimensions turn together' : 'dimensions i and i + half turn together';
  if (typeof style === 'boolean') e.say(pairs, 'rope_interleave');
  else if (known.interleaved !== undefined) e.say(pairs, known.because);
  else e.assume(pairs, likely.because, { key: 'rope_interleave', value: !interleaved });
  if (stretch !== null) draft.stretches = stretch.beyond;
  draft.attention = [{ ...spec, rope: first }];
  layered(e, draft, known, (kind) => turns.get(byKind ? kind : null) as Rope, byKind);
};

const SLIDING = 'sliding_attention';
const KINDS = new Set(['full_attention', SLIDING]);

/** GPT-Neo's words for the same. */
const spelled = (list: unknown): unknown =>
  Array.isArray(list) ? list.map((kind) => ({ global: 'full_attention', local: SLIDING })[String(kind)] ?? kind) : list;

/** `layer_types`, or what other keys say of which layers slide: a word a layer. */
function kindsOf(e: Evidence, layers: number, window: number | null, known: Recognised): readonly string[] | null {
  const types = spelled(e.value('layer_types', 'attention_layers')?.value ?? null);
  const uses = e.flag('use_sliding_window');
  const [from, pattern] = [
    e.number('max_window_layers')?.value,
    e.value('sliding_window_pattern', '_sliding_window_pattern')?.value ?? known.period,
  ];
  if (uses === false || window === null) return new Array<string>(layers).fill('full_attention');
  if (types !== null) {
    const list = Array.isArray(types) && types.length === layers && types.every((t) => typeof t === 'string' && KINDS.has(t));
    if (!list) e.problem(`layer_types is not ${layers} times full_attention or ${SLIDING}`);
    return list ? (types as string[]) : null;
  }
  if (typeof pattern === 'number' && pattern > 0)
    return Array.from({ length: layers }, (_, i) => ((i + 1) % pattern === 0 ? 'full_attention' : SLIDING));
  if (isGguf(e)) {
    e.problem(`sliding_window is ${window}: for which layers only layer_types or sliding_window_pattern could tell`);
    return null;
  }
  return Array.from({ length: layers }, (_, i) => (from === undefined || i >= from ? SLIDING : 'full_attention'));
}

/** `attention_types` is `attention_layers` in short. */
function speaksOfLocal(e: Evidence): boolean {
  if (!Array.isArray(e.config.raw.attention_layers)) return false;
  e.read.add('attention_types');
  return true;
}

/** Windows, and layers without positions. */
function layered(
  e: Evidence,
  draft: Draft,
  known: Recognised,
  turn: (kind: string) => Rope | null,
  byKind: boolean,
): ReturnType<Rule> {
  const [spec] = draft.attention as readonly AttentionSpec[];
  const layers = draft.layers as number;
  const told = e.number('sliding_window', 'attention_window_size', ...(speaksOfLocal(e) ? ['window_size'] : []))?.value ?? null;
  const window = told !== null && told > 0 ? told : null;
  const kinds = kindsOf(e, layers, window, known);
  const { quietEvery: n } = known;
  const usual = n ? Array.from({ length: layers }, (_, i) => ((i + 1) % n === 0 ? 0 : 1)) : null;
  const still = e.value('no_rope_layers')?.value ?? usual; // 1: turns all the same
  if (!kinds || !spec) return;
  const mixed = new Set(kinds).size > 1;
  if (still !== null && !(Array.isArray(still) && still.length === layers))
    return e.problem(`no_rope_layers is not ${layers} numbers`);
  if (mixed && !byKind && still === null && known.fullLayersTurn === undefined && spec.rope)
    return e.problem('some layers slide and others see everything: whether these turn by RoPE cannot be told');
  const turns = (i: number) =>
    still !== null ? (still as unknown[])[i] === 1 : kinds[i] === SLIDING || !mixed || byKind || known.fullLayersTurn !== false;
  const made = new Map<string, AttentionSpec>();
  draft.attention = kinds.map((kind, i) => {
    const key = `${kind} ${turns(i)}`;
    const alike = made.get(key) ?? { ...spec, window: kind === SLIDING ? window : null, rope: turns(i) ? turn(kind) : null };
    made.set(key, alike);
    return alike;
  });
  const sliding = kinds.filter((kind) => kind === SLIDING).length;
  if (sliding > 0)
    e.say(`${sliding} of ${layers} layers see ${window} tokens`, mixed ? 'layer_types and sliding_window' : 'sliding_window');
  const quiet = draft.attention.filter(({ rope: r }) => r === null).length;
  if (spec.rope && quiet > 0) e.say(`${quiet} layers do not turn`, still && still !== usual ? 'no_rope_layers' : known.because);
}

/** Layers of a model without RoPE are alike too. */
export const layers: Rule = (e, draft, known) => {
  if (draft.attention?.length === 1 && (draft.layers ?? 1) > 1)
    layered(e, draft, known, () => draft.attention?.[0]?.rope ?? null, false);
};

const invert = (value: number): number => 1 / value;

/** Numbers that change the maths without a tensor of their own. */
export const scales: Rule = (e, draft, known) => {
  const D = draft.dModel ?? 1;
  const [spec] = draft.attention ?? [];
  if (!spec) return;
  const factor = (keys: readonly string[], what: string, of: (value: number) => number = (value) => value): number => {
    const found = e.number(...keys);
    if (!found) return 1;
    if (of(found.value) !== 1) e.say(`${what} times ${Number(of(found.value).toPrecision(4))}`, `${found.key} is ${found.value}`);
    return of(found.value);
  };
  const depth = e.number('scale_depth');
  const base = e.number('dim_model_base');
  if (known.scaledEmbedding) e.say('the embedding times √D', known.because);
  draft.scales = {
    embedding:
      factor(['embedding_multiplier', 'scale_emb', 'embedding_scale'], 'the embedding') *
      (known.scaledEmbedding ? Math.sqrt(D) : 1),
    residual: factor(['residual_multiplier'], 'what each half adds') * (depth ? depth.value / Math.sqrt(draft.layers ?? 1) : 1),
    logits:
      factor(
        [known.logits && isGguf(e) ? `${architectureOf(e)}.logit_scale` : 'logit_scale'],
        'logits',
        known.logits === 'over' ? invert : undefined,
      ) *
      factor(['logits_scaling'], 'logits', invert) *
      (base ? base.value / D : 1),
    softcap: e.number('final_logit_softcapping', 'logits_soft_cap')?.value || null,
  };
  if (depth) e.say(`what each half adds times ${depth.value}/√L`, 'scale_depth');
  if (base) e.say(`logits times ${base.value}/D`, 'dim_model_base');
  const multiplier = e.number('attention_multiplier');
  const scalar = e.number('query_pre_attn_scalar');
  const unscaled = e.flag('scale_attn_weights') === false;
  const scale = multiplier?.value ?? (scalar ? scalar.value ** -0.5 : unscaled ? 1 : (known.scale ?? spec.headDim ** -0.5));
  if (multiplier || scalar || unscaled || known.scale)
    e.say(
      `q·k times ${Number(scale.toPrecision(4))}`,
      (multiplier ?? scalar)?.key ?? (unscaled ? 'scale_attn_weights' : known.because),
    );
  const softcap = e.number('attn_logit_softcapping')?.value || null;
  const alike = new Map((draft.attention ?? []).map((each) => [each, { ...each, scale, softcap }]));
  draft.attention = draft.attention?.map((each) => alike.get(each) as AttentionSpec) ?? [];
};
