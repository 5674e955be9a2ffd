import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { checkConfig, type Neighbours } from '../../server/language/config/check.js';
import { NeighbourReader, tokenizerSize } from '../../server/language/config/neighbours.js';

const ALONE: Neighbours = { tokenizer: null, weights: null };
const reader = new NeighbourReader();
const folder = 'media/models/tiny-llama';
const read = (model: string) => readFileSync(path.join('media/models', model, 'config.json'), 'utf8');

/** A real config with some keys changed or added; `undefined` leaves a key out. */
const changed = (model: string, changes: object): string => JSON.stringify({ ...JSON.parse(read(model)), ...changes }, null, 2);

/** Codes, severities, the text that is marked and the message. */
const issues = (text: string, neighbours = ALONE) =>
  checkConfig(text, neighbours).map(({ code, severity, message, start, end }) => ({
    code,
    severity,
    message,
    marked: text.slice(start, end),
  }));

test('the embedded models and the fixtures of all families contradict nothing', async () => {
  for (const root of ['media/models', 'test/fixtures/oracles']) {
    for (const name of readdirSync(root, { recursive: true })
      .map(String)
      .filter((file) => path.basename(file) === 'config.json')) {
      const file = path.join(root, name);
      const found = issues(readFileSync(file, 'utf8'), await reader.read(path.dirname(file)));
      assert.deepEqual(
        found.filter(({ code }) => code !== 'family-not-run'),
        [],
        file,
      );
    }
  }
});

interface Expected {
  readonly model?: string;
  readonly changes: object;
  readonly code: string;
  readonly severity?: string;
  readonly marked: string;
  readonly message: RegExp;
}

const ROPE = {
  rope_theta: 10000,
  rope_type: 'llama3',
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 64,
};
const expected: readonly Expected[] = [
  {
    changes: { head_dim: undefined, num_attention_heads: 5, num_key_value_heads: 5 },
    code: 'heads-do-not-divide-width',
    marked: '5',
    message: /hidden_size 192 .* num_attention_heads 5 \(remainder 2\)/,
  },
  {
    changes: { num_key_value_heads: 4 },
    code: 'kv-heads-do-not-divide-heads',
    marked: '4',
    message: /6 is not a multiple of num_key_value_heads 4/,
  },
  {
    changes: { layer_types: ['full_attention'] },
    code: 'layer-types-length',
    marked: '[\n    "full_attention"\n  ]',
    message: /1 entries for 5 layers/,
  },
  { changes: { eos_token_id: 4000 }, code: 'token-id-out-of-range', marked: '4000', message: /last id is 3071/ },
  { changes: { eos_token_id: [0, 5000] }, code: 'token-id-out-of-range', marked: '5000', message: /eos_token_id 5000/ },
  { changes: { pad_token_id: -1 }, code: 'token-id-invalid', severity: 'warning', marked: '-1', message: /no token/ },
  {
    changes: { rope_parameters: { ...ROPE, factor: 0.5 } },
    code: 'rope-factor-below-one',
    marked: '0.5',
    message: /factor 0.5 in rope_parameters/,
  },
  {
    changes: { rope_parameters: { rope_type: 'llama3', rope_theta: 1e4 } },
    code: 'rope-key-missing',
    marked: '{\n    "rope_type": "llama3",\n    "rope_theta": 10000\n  }',
    message: /needs factor, low_freq_factor, high_freq_factor, original_max_position_embeddings/,
  },
  {
    changes: { rope_scaling: { type: 'yarn' } },
    code: 'rope-key-missing',
    marked: '{\n    "type": "yarn"\n  }',
    message: /yarn needs factor in rope_scaling/,
  },
  {
    changes: { rope_scaling: { type: 'spiral' } },
    code: 'rope-type-unknown',
    severity: 'warning',
    marked: '"spiral"',
    message: /"spiral" is not known/,
  },
  {
    changes: { rope_parameters: { ...ROPE, low_freq_factor: 4 } },
    code: 'rope-band-empty',
    marked: '4',
    message: /below high_freq_factor 4/,
  },
  {
    changes: { rope_parameters: { ...ROPE, original_max_position_embeddings: 1024 } },
    code: 'original-context-exceeds-context',
    severity: 'warning',
    marked: '1024',
    message: /1024 is more than max_position_embeddings 512/,
  },
  {
    changes: { rope_theta: 500000 },
    code: 'rope-theta-disagrees',
    severity: 'warning',
    marked: '500000',
    message: /500000 here and 10000/,
  },
  {
    changes: { sliding_window: 4096 },
    code: 'window-exceeds-context',
    severity: 'warning',
    marked: '4096',
    message: /larger than max_position_embeddings 512/,
  },
  {
    changes: { num_local_experts: 2, num_experts_per_tok: 4 },
    code: 'more-experts-chosen-than-there-are',
    marked: '4',
    message: /more than the 2 experts/,
  },
  { changes: { hidden_size: -192 }, code: 'not-positive', marked: '-192', message: /positive whole number/ },
  { changes: { intermediate_size: 512.5 }, code: 'not-whole', marked: '512.5', message: /intermediate_size is 512.5/ },
  { changes: { rms_norm_eps: 0 }, code: 'not-positive', marked: '0', message: /above zero/ },
  {
    changes: { model_type: 'hyena', architectures: ['HyenaForCausalLM'] },
    code: 'family-not-run',
    severity: 'information',
    marked: '"hyena"',
    message: /does not know "hyena", "HyenaForCausalLM" by name; with its weights beside it/,
  },
  {
    model: 'tiny-mamba',
    changes: { expand: 3 },
    code: 'mamba-inner-width',
    marked: '384',
    message: /384 is not expand · hidden_size = 3 · 192 = 576/,
  },
  {
    model: 'tiny-mamba',
    changes: { time_step_rank: 'wide' },
    code: 'time-step-rank',
    marked: '"wide"',
    message: /"auto" or a positive/,
  },
  {
    model: 'tiny-mamba',
    changes: { time_step_rank: 400 },
    code: 'time-step-rank',
    severity: 'warning',
    marked: '400',
    message: /auto would be 12/,
  },
  {
    model: 'tiny-rwkv7',
    changes: { num_heads: 4 },
    code: 'rwkv-heads',
    marked: '4',
    message: /4 · 64 = 256 is not hidden_size 192/,
  },
  {
    model: 'tiny-rwkv7',
    changes: { model_type: 'ttt_linear', num_heads: 5 },
    code: 'ttt-heads',
    marked: '5',
    message: /hidden_size 192 over num_heads 5 is no even head width/,
  },
  {
    model: 'tiny-rwkv7',
    changes: { model_type: 'megalodon', num_heads: 4, z_dim: 62, value_dim: 64 },
    code: 'megalodon-parts',
    marked: '4',
    message: /z_dim 62 is not a multiple of num_heads 4/,
  },
];

for (const { model = 'tiny-llama', changes, code, severity = 'error', marked, message } of expected) {
  test(`${model} with ${JSON.stringify(changes)}: ${code}`, () => {
    const found = issues(changed(model, changes)).filter((issue) => issue.code === code);
    assert.equal(found.length, 1, JSON.stringify(issues(changed(model, changes))));
    assert.deepEqual([found[0]?.severity, found[0]?.marked], [severity, marked]);
    assert.match(found[0]?.message ?? '', message);
  });
}

const againstFiles: readonly Expected[] = [
  {
    changes: { vocab_size: 3000 },
    code: 'vocab-smaller-than-tokenizer',
    marked: '3000',
    message: /3000 is smaller than the tokenizer’s 3072 tokens: 72 of them/,
  },
  { changes: { vocab_size: 3200 }, code: 'vocab-larger-than-tokenizer', severity: 'hint', marked: '3200', message: /128 more/ },
  {
    changes: { vocab_size: 3200 },
    code: 'shape-contradicts-weights',
    marked: '3200',
    message: /embed_tokens\.weight is \[3072, 192\]: axis 0 should be vocab_size 3200/,
  },
  {
    changes: { num_attention_heads: 8 },
    code: 'shape-contradicts-weights',
    marked: '8',
    message: /q_proj\.weight is \[192, 192\], and 4 more: axis 0 should be num_attention_heads · head width = 8 · 32 = 256/,
  },
  {
    changes: { num_key_value_heads: 3 },
    code: 'shape-contradicts-weights',
    marked: '3',
    message: /k_proj\.weight is \[64, 192\], and 9 more/,
  },
  {
    changes: { intermediate_size: 768 },
    code: 'shape-contradicts-weights',
    marked: '768',
    message: /axis 0 should be intermediate_size 768/,
  },
  {
    changes: { num_hidden_layers: 6 },
    code: 'layers-contradict-weights',
    marked: '6',
    message: /is 6, but the weights have 5 blocks/,
  },
  { changes: { tie_word_embeddings: false }, code: 'head-missing', marked: 'false', message: /no lm_head\.weight/ },
  {
    model: 'tiny-mamba',
    changes: { state_size: 32 },
    code: 'shape-contradicts-weights',
    marked: '32',
    message: /A_log is \[384, 16\], and 7 more: axis 1 should be state_size 32/,
  },
];

for (const { model = 'tiny-llama', changes, code, severity = 'error', marked, message } of againstFiles) {
  test(`${model} with ${JSON.stringify(changes)} against its files: ${code}`, async () => {
    const neighbours = await reader.read(path.join('media/models', model));
    const found = issues(changed(model, changes), neighbours).filter(
      (issue) => issue.code === code && message.test(issue.message),
    );
    assert.equal(found.length, 1, JSON.stringify(issues(changed(model, changes), neighbours)));
    assert.deepEqual([found[0]?.severity, found[0]?.marked], [severity, marked]);
  });
}

test('a head that is stored although embeddings are tied', () => {
  const embedding = { dtype: 'F16', shape: [3072, 192] };
  const withHead = (head: { dtype: string; shape: number[] }) => {
    const weights = new Map([
      ['model.embed_tokens.weight', embedding],
      ['lm_head.weight', head],
    ]);
    return issues(read('tiny-llama'), { tokenizer: null, weights }).map(({ code }) => code);
  };
  assert.deepEqual(withHead({ dtype: 'F16', shape: [3072, 192] }), ['tied-head-stored']);
  assert.deepEqual(withHead({ dtype: 'F32', shape: [3072, 192] }), ['tied-head-differs']);
});

test('NaN and Infinity, which Python writes', () => {
  const text = '{\n  "model_type": "llama",\n  "rms_norm_eps": NaN,\n  "rope_theta": -Infinity\n}';
  const found = issues(text);
  assert.deepEqual(
    found.map(({ code, marked }) => [code, marked]),
    [
      ['not-a-number', 'NaN'],
      ['not-a-number', '-Infinity'],
    ],
  );
});

test('nothing is said about other JSON, text that is not JSON, and half-written configs', () => {
  for (const text of [
    '',
    '[]',
    '{"hidden_size": -1}',
    '{"port": 80',
    '{"model_type":',
    '{"model_type": "llama", "hidden_size":',
    'null',
  ])
    assert.deepEqual(issues(text), [], text);
});

test('the neighbours are read from disk', async () => {
  const { tokenizer, weights } = await reader.read(folder);
  assert.equal(tokenizer, 3072);
  assert.equal(tokenizerSize(readFileSync(path.join(folder, 'tokenizer.json'), 'utf8')), 3072);
  assert.deepEqual(weights?.get('model.embed_tokens.weight'), { dtype: 'F16', shape: [3072, 192] });
  assert.deepEqual(await reader.read('test/language'), ALONE);
});

test('what an unnamed gate of gelu stores is read beside its config, so that the diagnostics say what opening the model says', async () => {
  const at = mkdtempSync(path.join(tmpdir(), 'diagnostics-'));
  try {
    const { use_bidirectional_attention, ...config } = JSON.parse(
      readFileSync('test/fixtures/oracles_inferred/gemma/config.json', 'utf8'),
    );
    const text = JSON.stringify({ ...config, model_type: 'newcomer', architectures: ['NewcomerForCausalLM'] });
    copyFileSync('test/fixtures/oracles_inferred/gemma/model.safetensors', path.join(at, 'model.safetensors'));
    writeFileSync(path.join(at, 'config.json'), text);
    const beside = await reader.read(at);
    const [told] = issues(text, beside).filter(({ code }) => code === 'family-not-run');
    assert.match(told?.message ?? '', /runs it as its tensors and this file say\.$/);
    const [unread] = issues(text, { ...beside, values: null }).filter(({ code }) => code === 'family-not-run');
    assert.match(unread?.message ?? '', /whether these do cannot be told without reading them/);
  } finally {
    rmSync(at, { recursive: true });
  }
});
