import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { tell } from '../../server/formats/told.js';
import { writeSafetensors } from '../../server/formats/writeSafetensors.js';
import { Run } from '../../server/runtime/run.js';
import { summarise } from '../../server/summary.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { assertClose, fixtures, readOracle } from './oracle.js';
import { assertDecode, assertLong, assertRun, idsOf, open } from './reference.js';

/** Families that the registry does not name: what runs them was told by their tensors and config. */
const folder = path.resolve(fixtures, '../oracles_inferred');
const families = readdirSync(folder);

const scratch = mkdtempSync(path.join(tmpdir(), 'inferred-'));
after(() => rmSync(scratch, { recursive: true }));

type Config = Record<string, unknown>;

/** A copy of a checkpoint with another config. */
function changed(from: string, name: string, change: (config: Config) => Config): string {
  const to = path.join(scratch, name);
  cpSync(from, to, { recursive: true });
  const config = JSON.parse(readFileSync(path.join(from, 'config.json'), 'utf8'));
  writeFileSync(path.join(to, 'config.json'), JSON.stringify(change(config)));
  return to;
}

const nameless = (config: Config): Config => ({ ...config, model_type: 'nonsense', architectures: ['NonsenseForCausalLM'] });

async function assertAll(at: string, oracleOf: string, name: string): Promise<void> {
  const { device, model, run } = await open(at);
  try {
    assert.equal(model.bound.architecture.id, `${name} (inferred)`);
    const oracle = await readOracle(oracleOf);
    await run.prefill(idsOf(oracle));
    await assertRun(run, oracle);
    await assertDecode(run, oracle);
    if (oracle.has('long.logits')) await assertLong(await Run.create(model), oracle);
  } finally {
    await device.close();
  }
}

for (const family of families)
  test(`${family} equals the reference`, () => assertAll(path.join(folder, family), path.join(folder, family), family));

/** Whose norms have no tensors: only the name says that they are there. */
const unsaid = new Set(['olmo']);

for (const family of families.filter((name) => !unsaid.has(name)))
  test(`${family} under a name that nobody knows equals the reference`, () =>
    assertAll(changed(path.join(folder, family), family, nameless), path.join(folder, family), 'nonsense'));

for (const family of [
  'llama',
  'mistral',
  'qwen2',
  'qwen3',
  'gemma2',
  'gemma3_text',
  'phi3',
  'glm',
  'gpt2',
  'gpt_neox',
  'mixtral',
  'deepseek_v2',
  'deepseek_v3',
])
  test(`${family}, which the registry names, is inferred alike when nobody names it`, () =>
    assertAll(changed(path.join(fixtures, family), `known-${family}`, nameless), path.join(fixtures, family), 'nonsense'));

/** A conclusion and its reason, as inspect lists them. */
const listed: readonly (readonly [family: string, what: RegExp, because: RegExp])[] = [
  ['olmo2', /^2 KV heads$/, /^self_attn\.k_proj has 12 rows of head_dim 6$/],
  ['olmo2', /^a norm behind each half, none before$/, /post_attention_layernorm, post_feedforward_layernorm/],
  ['olmo2', /^norms of queries and keys, over all heads at once$/, /q_norm\.weight is \[24\]/],
  ['stablelm', /^norms of queries and keys, one for each head$/, /q_layernorm\.norms\.0\.weight is \[8\]/],
  ['stablelm', /^biases on q, k and v$/, /q_proj\.bias is \[32\]/],
  ['stablelm', /^both halves read the same stream$/, /a block has input_layernorm$/],
  ['stablelm', /^RoPE on 2 of 8 dimensions of a head$/, /rope_parameters/],
  ['stablelm', /^LayerNorm$/, /input_layernorm\.bias is there/],
  ['granite', /^the embedding times 3$/, /^embedding_multiplier is 3$/],
  ['granite', /^what each half adds times 0\.4$/, /^residual_multiplier is 0\.4$/],
  ['granite', /^logits times 0\.4$/, /^logits_scaling is 2\.5$/],
  ['granite', /^q·k times 0\.2$/, /^attention_multiplier$/],
  ['cohere', /^neighbouring dimensions turn together$/, /^it is cohere$/],
  ['smollm3', /^1 layers do not turn$/, /^no_rope_layers$/],
  ['starcoder2', /^3 of 3 layers see 9 tokens$/, /^sliding_window$/],
  ['olmo', /^LayerNorms without weights before each half, ε 0\.00001$/, /^it is olmo$/],
  ['apertus', /^xIELU with two weights a block$/, /mlp\.act_fn\.alpha_p$/],
  ['gpt_neo', /^1 of 3 layers see 7 tokens$/, /layer_types/],
  ['gpt_neo', /^q·k times 1$/, /gpt_neo/],
  ['glm4_moe_lite', /^latent attention of rank 10, of which 4 dimensions turn apart$/, /kv_a_proj_with_mqa/],
  ['glm4_moe_lite', /^4 experts of 12 neurons from block 1 on, 2 a token, by sigmoid scores/, /e_score_correction_bias/],
  ['qwen2_moe', /^5 experts of 10 neurons, 3 a token$/, /gate\.weight has 5 rows/],
  ['qwen2_moe', /^an expert for every token, gated$/, /shared_expert/],
  ['minimax_m2', /^experts by sigmoid scores, e_score_correction_bias steers the choice/, /e_score_correction_bias/],
  ['falcon', /^q, k and v in one matrix, group by group$/, /query_key_value/],
  ['gpt_bigcode', /^learned positions$/, /wpe\.weight has 400 rows/],
  ['hunyuan_v1_dense', /one for all heads, behind RoPE$/, /query_layernorm/],
];

for (const family of new Set(listed.map(([name]) => name)))
  test(`inspect lists what was inferred of ${family}`, async () => {
    const { architecture, inferred = [], unsupported } = await summarise(await openCheckpoint(path.join(folder, family)));
    assert.equal(unsupported, null);
    assert.equal(architecture, `${family} (inferred)`);
    for (const [, what, because] of listed.filter(([name]) => name === family))
      assert.ok(
        inferred.some((found) => what.test(found.what) && because.test(found.because)),
        `${what} ${because} in ${JSON.stringify(inferred)}`,
      );
  });

test('what nothing in the files says is marked as assumed', async () => {
  const { inferred = [] } = await summarise(await openCheckpoint(path.join(folder, 'olmo2')));
  const assumed = inferred.filter((inference) => inference.assumed).map(({ what }) => what);
  assert.deepEqual(assumed, ['dimensions i and i + half turn together']);
});

const otherwise = { key: 'rope_interleave', value: true };

test('which pairs turn is assumed by what the name sounds like, or as most do, and a key of the config says otherwise', async () => {
  // An ε that is not Helium's: nothing is left that tells it from Llama.
  const unlike = (config: Config): Config => ({ ...nameless(config), rms_norm_eps: 1.1e-8 });
  const at = changed(path.join(folder, 'helium'), 'like-llama', unlike);
  const assumedOf = async (where: string) => (await summarise(await openCheckpoint(where))).inferred?.filter((i) => i.assumed);
  const usual = { what: 'dimensions i and i + half turn together', assumed: true };
  assert.deepEqual(await assumedOf(at), [
    { ...usual, because: 'it is so in Llama and most others; nothing in the files says it', otherwise },
  ]);
  const sounding = changed(at, 'sounding', (c) => ({ ...c, architectures: ['MyHeliumForCausalLM'] }));
  const said = await assumedOf(sounding);
  assert.match(said?.[0]?.what ?? '', /^neighbouring dimensions turn together$/);
  assert.match(said?.[0]?.because ?? '', /"MyHeliumForCausalLM" sounds like/);

  await assert.rejects(assertAll(at, path.join(folder, 'helium'), 'nonsense'), /differs|attn|hidden/);
  tell('like-llama', { rope_interleave: true });
  try {
    assert.deepEqual(await assumedOf(at), []);
    await assertAll(at, path.join(folder, 'helium'), 'nonsense');
  } finally {
    tell('like-llama', {});
  }
});

/** Writes the tensors of a copied checkpoint again, changed. */
async function rewritten(at: string, change: (tensors: Map<string, Tensor>) => void): Promise<void> {
  const file = path.join(at, 'model.safetensors');
  const checkpoint = await openCheckpoint(file);
  const tensors = new Map<string, Tensor>();
  for (const [name, entry] of checkpoint.tensors)
    tensors.set(name, { shape: entry.shape, data: await readTensor(checkpoint, entry) });
  change(tensors);
  await writeSafetensors(file, tensors);
}

test('what the norms of a gate of gelu store is told by their values, or not at all', async () => {
  const bare = ({ use_bidirectional_attention, ...config }: Config): Config => nameless(config);
  const gemma = changed(path.join(folder, 'gemma'), 'bare-gemma', bare);
  await assertAll(gemma, path.join(folder, 'gemma'), 'nonsense');
  const { inferred } = await summarise(await openCheckpoint(gemma));
  assert.ok(inferred?.some(({ what, because }) => /minus one/.test(what) && /lie around 0/.test(because)));

  const gains = (least: number) => (tensors: Map<string, Tensor>) => {
    for (const [name, { shape, data }] of tensors)
      if (/norm/.test(name)) tensors.set(name, { shape, data: Float32Array.from(data, (w) => least + Math.abs(w) / 4) });
  };
  const plain = changed(gemma, 'plain-gains', (config) => config);
  await rewritten(plain, gains(0.9));
  const { inferred: ofPlain } = await summarise(await openCheckpoint(plain));
  assert.ok(ofPlain && !ofPlain.some(({ what }) => /minus one|√D/.test(what)));

  const neither = changed(gemma, 'neither', (config) => config);
  await rewritten(neither, gains(0.1));
  const { unsupported } = await summarise(await openCheckpoint(neither));
  assert.match(unsupported?.message ?? '', /gain minus one; whether these do cannot be told/);
});

const logitsOf = async (at: string) => {
  const { device, run } = await open(at);
  await run.prefill([5, 9, 2, 40]);
  const data = await run.logits({ from: 0, to: 4 });
  await device.close();
  return { shape: [4, data.length / 4], data };
};

test('a head that is stored says the logits, though the config ties it to the embedding', async () => {
  for (const family of [
    path.join(folder, 'gptj'),
    path.join(folder, '../oracles/llama'),
    path.join(folder, '../oracles/mamba2'),
  ]) {
    const [own, tied] = [false, true].map((tie) =>
      changed(family, `stored-${path.basename(family)}-${tie}`, (config) => ({ ...config, tie_word_embeddings: tie })),
    ) as [string, string];
    for (const at of [own, tied])
      await rewritten(at, (tensors) => {
        const name = [...tensors.keys()].find((each) => /(?:wte|embed_tokens|embeddings)\.weight$/.test(each)) as string;
        const { shape, data } = tensors.get(name) as Tensor;
        tensors.set('lm_head.weight', { shape, data: data.map((x) => x * 0.5) });
      });
    assertClose('logits', await logitsOf(tied), await logitsOf(own));
  }
});

test('a tied unembedding keeps its bias', async () => {
  const spelled = changed(path.join(folder, 'gptj'), 'spelled', (config) => config);
  await rewritten(spelled, (tensors) => tensors.set('lm_head.weight', tensors.get('transformer.wte.weight') as Tensor));
  const tied = changed(path.join(folder, 'gptj'), 'tied', (config) => ({ ...config, tie_word_embeddings: true }));
  await rewritten(tied, (tensors) => tensors.delete('lm_head.weight'));
  assertClose('logits', await logitsOf(tied), await logitsOf(spelled));
});

test('"gelu" of a Gemma 1 is its approximation by tanh, as it was when its files were written', async () => {
  const older = changed(path.join(folder, 'gemma'), 'older-gemma', (config) => ({ ...config, hidden_act: 'gelu' }));
  await assertAll(older, path.join(folder, 'gemma'), 'gemma');
});

interface Refusal {
  readonly from: string;
  readonly change: (config: Config) => Config;
  readonly says: readonly RegExp[];
}

/** Names that change the maths and are not built, contradictions, and what is missing. */
const refused: Readonly<Record<string, Refusal>> = {
  'an unknown factor': {
    from: 'olmo2',
    change: (c) => ({ ...c, mup_output_multiplier: 0.5 }),
    says: [/mup_output_multiplier is 0\.5/],
  },
  'an unknown cap': { from: 'seed_oss', change: (c) => ({ ...c, attn_soft_clip: 30 }), says: [/attn_soft_clip is 30/] },
  'an unknown table of RoPE': {
    from: 'olmo2',
    change: (c) => ({ ...c, rope_parameters: { rope_type: 'default', rope_theta: 1e4, spiral: 2 } }),
    says: [/rope_parameters\.spiral/],
  },
  'a RoPE nobody knows': {
    from: 'olmo2',
    change: (c) => ({ ...c, rope_parameters: { rope_type: 'spiral', rope_theta: 1e4 } }),
    says: [/"spiral"/],
  },
  'half a pair of RoPE': {
    from: 'olmo2',
    change: (c) => ({ ...c, partial_rotary_factor: 0.5 }),
    says: [/RoPE on 3 of 6 dimensions/],
  },
  'positions by distance': { from: 'falcon', change: (c) => ({ ...c, alibi: true }), says: [/alibi/] },
  'other heads than rows': {
    from: 'olmo2',
    change: (c) => ({ ...c, num_key_value_heads: 4 }),
    says: [/num_key_value_heads is 4, but self_attn\.k_proj has 12 rows of head_dim 6/],
  },
  'other sizes than tensors, all of them told': {
    from: 'olmo2',
    change: (c) => ({ ...c, vocab_size: 60, num_hidden_layers: 4, intermediate_size: 40 }),
    says: [
      /vocab_size is 60, but embed_tokens\.weight has 59 rows/,
      /num_hidden_layers is 4, but there are 3 blocks/,
      /intermediate_size is 40/,
    ],
  },
  'a bias that is not there': {
    from: 'olmo2',
    change: (c) => ({ ...c, attention_bias: true }),
    says: [/attention_bias is true, but queries have no bias/],
  },
  'no ε and no activation': {
    from: 'olmo2',
    change: ({ rms_norm_eps, hidden_act, ...c }) => c,
    says: [/neither rms_norm_eps nor layer_norm_eps/, /no hidden_act/],
  },
  'no positions': { from: 'olmo2', change: ({ rope_parameters, ...c }) => c, says: [/no positions/] },
  'experts without a rule for their weights': {
    from: 'olmoe',
    change: ({ norm_topk_prob, ...c }) => c,
    says: [/norm_topk_prob/],
  },
  'an activation whose weights are not there': {
    from: 'olmo2',
    change: (c) => ({ ...c, hidden_act: 'xielu' }),
    says: [/"xielu"/],
  },
  'a bound of 1': { from: 'olmoe', change: (c) => ({ ...c, clip_qkv: 1 }), says: [/clip_qkv is 1/] },
  'two activations': {
    from: 'gemma',
    change: (c) => ({ ...c, hidden_activation: 'gelu' }),
    says: [/hidden_activation is "gelu", but hidden_act is "gelu_pytorch_tanh"/],
  },
  'what is said to be left out': {
    from: 'olmo2',
    change: (c) => ({ ...c, use_rope: false, is_causal: false }),
    says: [/use_rope is false/, /is_causal is false/],
  },
  'norms without tensors under no name': { from: 'olmo', change: nameless, says: [/no norm of a block has a weight/] },
  'a factor beside latent attention': {
    from: 'glm4_moe_lite',
    change: (c) => ({ ...c, scale_emb: 12 }),
    says: [/scale_emb is 12/],
  },
  'groups of experts that nobody counts': {
    from: 'glm4_moe_lite',
    change: ({ n_group, ...c }) => c,
    says: [/no n_group: which experts are chosen cannot be told/],
  },
  'layers of two kinds under no name': {
    from: 'seed_oss',
    change: (c) => nameless({ ...c, sliding_window: 6, layer_types: ['full_attention', 'sliding_attention', 'full_attention'] }),
    says: [/whether these turn by RoPE cannot be told/],
  },
  'one matrix of q, k and v under no name': {
    from: 'falcon',
    change: ({ new_decoder_architecture, multi_query, ...c }) => nameless(c),
    says: [/query_key_value\.weight: whether q, k and v lie/],
  },
};

for (const [what, { from, change, says }] of Object.entries(refused))
  test(`${what} is refused by name`, async () => {
    const at = changed(path.join(folder, from), what.replaceAll(' ', '-'), change);
    const { unsupported } = await summarise(await openCheckpoint(at));
    assert.equal(unsupported?.code, 'ARCHITECTURE_UNKNOWN', JSON.stringify(unsupported));
    for (const each of says) assert.match(unsupported?.message ?? '', each);
    await assert.rejects(open(at), { code: 'ARCHITECTURE_UNKNOWN' });
  });

test('tensors that no known part reads are refused by name', async () => {
  const at = changed(path.join(folder, 'olmo2'), 'more-tensors', (config) => config);
  await rewritten(at, (tensors) => tensors.set('model.layers.1.self_attn.lambda_q', { shape: [6], data: new Float32Array(6) }));
  const { unsupported } = await summarise(await openCheckpoint(at));
  assert.equal(unsupported?.code, 'ARCHITECTURE_UNKNOWN');
  assert.match(unsupported?.message ?? '', /tensors that no known part reads: layers\.N\.self_attn\.lambda_q/);
});

test('a class of a known family with tensors of another is inferred', async () => {
  const at = changed(path.join(folder, 'olmo2'), 'other-class', (config) => ({ ...config, architectures: ['GPT2LMHeadModel'] }));
  const { architecture } = await summarise(await openCheckpoint(at));
  assert.equal(architecture, 'olmo2 (inferred)');
});
