import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { openCheckpoint } from '../../server/formats/registry.js';
import { addCosts, type Cost, costOf } from '../../server/graph/cost.js';
import type { BoundArchitecture } from '../../server/graph/segment.js';
import { type BuiltPart, segmentOf } from '../../server/graph/segmentParts.js';
import { bindCheckpoint } from '../../server/runtime/model.js';
import { fixtures } from '../parity/oracle.js';

/** What PyTorch counted while it ran the same models: see make_flops.py. */
interface Counted {
  readonly prefill: Readonly<Record<string, number>>;
  readonly decode?: Readonly<Record<string, number>>;
  readonly cached?: number;
}
const reference: Readonly<Record<string, Counted>> = JSON.parse(
  readFileSync(path.resolve(import.meta.dirname, '../fixtures/flops.json'), 'utf8'),
);

const T = 24;
const PREFILL = { batch: 1, tokens: T, past: 0 };
const DECODE = { batch: 1, tokens: 1, past: T };

const products = ({ convolution = 0, ...rest }: Readonly<Record<string, number>> = {}): number =>
  Object.values(rest).reduce((a, b) => a + b, 0);

const partsOf = ({ config }: BoundArchitecture): BuiltPart[] => [
  'embed',
  ...Array.from({ length: config.layers }, (_, i) => i),
  'head',
];

interface Opened {
  readonly bound: BoundArchitecture;
  readonly config: Readonly<Record<string, number>>;
  /** Elements of all tensors whose name matches. */
  elements(name: RegExp): number;
  cost(call: typeof PREFILL): Cost;
}

async function open(family: string): Promise<Opened> {
  const checkpoint = await openCheckpoint(path.join(fixtures, family));
  const bound = await bindCheckpoint(checkpoint);
  return {
    bound,
    config: checkpoint.config as Readonly<Record<string, number>>,
    elements: (name) =>
      [...checkpoint.tensors.values()]
        .filter((entry) => name.test(entry.name))
        .reduce((sum, { shape }) => sum + shape.reduce((n, d) => n * d, 1), 0),
    cost: (call) => addCosts(partsOf(bound).map((part) => costOf(segmentOf(bound, part).graph, call))),
  };
}

/** Blocks with a router, by the weights they have. */
const mixtures = ({ bound }: Opened): number =>
  partsOf(bound).filter((part) => segmentOf(bound, part).graph.nodes.some((node) => node.part)).length;

/** The chosen experts' outputs are weighted by a product here and element by element there. */
const weighing = (model: Opened, tokens: number): number =>
  mixtures(model) * 2 * tokens * (model.config.num_experts_per_tok ?? 0) * (model.config.hidden_size ?? 0);

const same = [
  'gemma2',
  'gemma3_text',
  'glm',
  'glm4',
  'gpt2',
  'gpt_neox',
  'llama',
  'llama_yarn',
  'mistral',
  'phi3',
  'qwen2',
  'qwen3',
];
const experts = ['gpt_oss', 'jamba', 'mixtral', 'qwen3_moe'];
const recurrent = ['mamba', 'falcon_mamba', 'rwkv4'];

for (const family of [...same, ...experts, ...recurrent])
  test(`matrix products of ${family} cost what PyTorch counts, for prefill and decoding`, async () => {
    const model = await open(family);
    assert.equal(model.cost(PREFILL).matmulFlops - weighing(model, T), products(reference[family]?.prefill));
    assert.equal(model.cost(DECODE).matmulFlops - weighing(model, 1), products(reference[family]?.decode));
  });

for (const [family, window] of [
  ['llama', Number.POSITIVE_INFINITY],
  ['mistral', 8],
] as const)
  test(`${family} with queries in blocks: each block meets the keys that its queries may see`, async () => {
    const { bound } = await open(family);
    const { heads, headDim } = bound.architecture.layer(bound.config, 0).attention as NonNullable<
      ReturnType<typeof bound.architecture.layer>['attention']
    >;
    const call = { batch: 1, tokens: T, past: T };
    const kept = Math.min(T, window - 1);
    const spelled = costOf(segmentOf(bound, 0).graph, call);
    const blocks = costOf(segmentOf(bound, 0, 5).graph, call);
    // the last of them begins early, so that it is whole
    const keys = [0, 5, 10, 15, 19].map((start) => kept + start + 5 - Math.max(0, kept + start - (window - 1)));
    const products = (pairs: number) => 2 * 2 * heads * headDim * pairs;
    const fewer = products(T * (kept + T)) - products(5 * keys.reduce((a, b) => a + b, 0));
    assert.equal(spelled.matmulFlops - blocks.matmulFlops, fewer);
    assert.equal(blocks.weightBytes, spelled.weightBytes);
    // less than a block is read at once
    const few = { ...call, tokens: 4 };
    const [one, other] = [costOf(segmentOf(bound, 0).graph, few), costOf(segmentOf(bound, 0, 5).graph, few)];
    assert.equal(other.matmulFlops, one.matmulFlops);
  });

test('RecurrentGemma: its prefill', async () => {
  assert.equal((await open('recurrent_gemma')).cost(PREFILL).matmulFlops, products(reference.recurrent_gemma?.prefill));
});

/** The reference goes by chunks when there are many tokens; one more token is one step in both. */
for (const family of ['mamba2', 'falcon_h1', 'zamba2'])
  test(`${family}: decoding is equal, and prefill is as many steps where the reference goes by chunks`, async () => {
    const model = await open(family);
    const { prefill = {}, decode = {} } = reference[family] ?? {};
    const { mm = 0, bmm = 0 } = decode;
    assert.equal(model.cost(DECODE).matmulFlops, mm + bmm);
    // what attention multiplies: every query with every key, twice
    const attention = (call: typeof PREFILL) =>
      partsOf(model.bound).reduce<number>((sum, part) => {
        if (typeof part !== 'number') return sum;
        const { attention: spec } = model.bound.architecture.layer(model.bound.config, part);
        return sum + (spec ? 4 * spec.heads * spec.headDim * call.tokens * (call.past + call.tokens) : 0);
      }, 0);
    assert.equal(model.cost(PREFILL).matmulFlops, (prefill.mm ?? 0) + T * (bmm - attention(DECODE)) + attention(PREFILL));
  });

test('RWKV-7: the projections are equal, the state is multiplied twice a token', async () => {
  const model = await open('rwkv7');
  const { mm = 0, addmm = 0 } = reference.rwkv7?.decode ?? {};
  const PADDED = 128; // the reference always runs that many tokens
  const { H, E, layers } = model.bound.config as unknown as { H: number; E: number; layers: number };
  assert.equal(model.cost(DECODE).matmulFlops, (mm + addmm) / PADDED + layers * 2 * (2 * H * E * E));
});

test('Qwen3-Next: the delta rule multiplies the state twice a token, where the reference sums products', async () => {
  const model = await open('qwen3_next');
  const { layers } = model.bound.config;
  const deltas = Array.from({ length: layers }, (_, i) => model.bound.architecture.layer(model.bound.config, i)).filter(
    ({ mixer }) => mixer === 'deltanet',
  );
  const { linear_num_value_heads: H = 0, linear_key_head_dim: E = 0, linear_value_head_dim: V = 0 } = model.config;
  const steps = deltas.length * 2 * (2 * H * E * V);
  assert.equal(model.cost(DECODE).matmulFlops - weighing(model, 1) - steps, products(reference.qwen3_next?.decode));
});

for (const family of ['deepseek_v2', 'deepseek_v3'])
  test(`${family}: the latent is read as it is cached, where the reference makes keys and values of it`, async () => {
    const model = await open(family);
    const { num_attention_heads: H = 0, kv_lora_rank: R = 0, qk_nope_head_dim: N = 0, qk_rope_head_dim: P = 0 } = model.config;
    const { v_head_dim: V = 0 } = model.config;
    const absorbed = (t: number, s: number) => 2 * H * t * (N * R + s * (R + P) + s * R + R * V);
    const expanded = (t: number, s: number) => 2 * H * (s * R * (N + V) + t * s * (N + P) + t * s * V);
    const { layers } = model.bound.config;
    for (const [call, counted] of [
      [PREFILL, reference[family]?.prefill],
      [DECODE, reference[family]?.decode],
    ] as const) {
      const [t, s] = [call.tokens, call.past + call.tokens];
      const expected = products(counted) + layers * (absorbed(t, s) - expanded(t, s)) + weighing(model, t);
      assert.equal(model.cost(call).matmulFlops, expected);
    }
  });

test('weights are read once: all of a dense model, of a mixture those of the experts that a token reaches', async () => {
  const llama = await open('llama');
  const { vocab_size: V = 0, hidden_size: D = 0 } = llama.config;
  assert.equal(llama.cost(DECODE).weights, llama.elements(/./) - V * D + D); // one row of the embedding
  const mixtral = await open('mixtral');
  const all = mixtral.elements(/experts\./);
  const { num_experts_per_tok: k = 0, num_local_experts: X = 1 } = mixtral.config;
  const rest = mixtral.elements(/./) - all - V * D + D;
  assert.equal(mixtral.cost(DECODE).weights, rest + (all * k) / X);
  assert.ok(Math.abs(mixtral.cost({ ...DECODE, tokens: 4000 }).weights - (rest - D + 4000 * D + all)) < 1);
});

for (const family of [...same, 'deepseek_v2', 'mixtral', 'gpt_oss', 'jamba', 'falcon_h1', 'zamba2'])
  test(`${family} reads as many cached numbers as the reference caches`, async () => {
    const model = await open(family);
    const rows = partsOf(model.bound).flatMap((part) =>
      segmentOf(model.bound, part).graph.inputs.filter(
        ({ name, shape }) => /past$/.test(name) && shape.some((d) => `${d}`.startsWith('C.')),
      ),
    );
    const sizes = rows.map(({ shape }) =>
      shape.reduce<number>((n, d) => n * (typeof d === 'number' ? d : d === 'B' ? 1 : Math.min(T, Number(d.slice(2)) || T)), 1),
    );
    assert.equal(
      sizes.reduce((a, b) => a + b, 0),
      reference[family]?.cached,
    );
    const fixed = model.cost({ ...DECODE, past: 0 }).stateRead;
    assert.equal(model.cost(DECODE).stateRead - fixed, (reference[family]?.cached ?? 0) * 4);
  });

test('a batch multiplies what is computed and cached, not the weights', async () => {
  const model = await open('llama');
  const [one, four] = [model.cost(DECODE), model.cost({ ...DECODE, batch: 4 })];
  assert.equal(four.matmulFlops, 4 * one.matmulFlops);
  assert.equal(four.stateRead, 4 * one.stateRead);
  assert.equal(four.weights - one.weights, 3 * (model.config.hidden_size ?? 0)); // rows of the embedding
});
