import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { openCheckpoint } from '../../server/formats/registry.js';
import { tell } from '../../server/formats/told.js';
import { summarise } from '../../server/summary.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { assertClose, fixtures, readOracle } from './oracle.js';
import { assertDecode, idsOf, open } from './reference.js';

/** GGUF files of architectures that have no table: their metadata and tensors say what runs, or what is known of llama.cpp's graph by its name. */
const formats = path.join(fixtures, '../formats');
const unnamed = path.join(formats, 'gguf_unnamed');
const inferred = path.join(fixtures, '../oracles_inferred');

const scratch = mkdtempSync(path.join(tmpdir(), 'unnamed-'));
after(() => rmSync(scratch, { recursive: true }));

/** A copy with another name of its architecture, which every key begins with; as long as the one it replaces. */
function renamed(from: string, architecture: string, name: string): string {
  assert.equal(architecture.length, name.length);
  const stored = readFileSync(from);
  for (let at = stored.indexOf(architecture); at >= 0; at = stored.indexOf(architecture, at)) stored.write(name, at);
  const file = path.join(scratch, `${name}.gguf`);
  writeFileSync(file, stored);
  return file;
}

/** Keys lie in the order of the file's rows, so that the cache is not compared: the logits, the stream and what follows are. */
async function assertSays(file: string, oracleOf: string, architecture: string): Promise<void> {
  const { device, model, run } = await open(file);
  try {
    assert.equal(model.bound.architecture.id, `${architecture} (inferred)`);
    const oracle = await readOracle(oracleOf);
    const ids = idsOf(oracle);
    await run.prefill(ids);
    const expected = oracle.get('logits') as Tensor;
    assertClose('logits', { shape: expected.shape, data: await run.logits({ from: 0, to: ids.length }) }, expected);
    const last = model.layers.length - 1;
    const entered = (await run.probes([`blocks.${last}.resid_pre`])).get(`blocks.${last}.resid_pre`) as Tensor;
    assertClose(`hidden.${last}`, entered, oracle.get(`hidden.${last}`) as Tensor);
    await assertDecode(run, oracle);
  } finally {
    await device.close();
  }
}

const told = async (file: string) => {
  const { inferred: all = [], unsupported } = await summarise(await openCheckpoint(file));
  return { assumed: all.filter(({ assumed }) => assumed), all, unsupported };
};

test('of a name that nobody knows the usual is assumed, and each assumption is told with the key that says otherwise', async () => {
  for (const family of ['qwen2', 'qwen3']) {
    const name = family.replace('qwen', 'nova');
    const file = renamed(path.join(formats, `${family}.gguf`), family, name);
    await assertSays(file, family, name);
    const { assumed, all } = await told(file);
    assert.deepEqual(
      assumed.map(({ what, otherwise }) => [what, otherwise]),
      [
        ['the activation is silu', { key: 'hidden_act', value: 'gelu_pytorch_tanh' }],
        ['dimensions i and i + half turn together', { key: 'rope_interleave', value: true }],
        [
          'nothing is computed but what metadata and tensors say: no factors, no norms without weights, norms before RoPE',
          undefined,
        ],
      ],
    );
    assert.ok(all.some(({ what, because }) => what === '2 KV heads' && /^self_attn\.k_proj has \d+ rows/.test(because)));
  }
});

test('what is assumed wrongly is put right by keys', async () => {
  const file = renamed(path.join(formats, 'llama.gguf'), 'llama', 'lambo');
  await assert.rejects(assertSays(file, 'llama', 'lambo'), /logits/);
  tell('lambo.gguf', { rope_interleave: true });
  try {
    await assertSays(file, 'llama', 'lambo'); // with llama3's frequencies, which are a tensor of the file
  } finally {
    tell('lambo.gguf', {});
  }
  const gemma = path.join(unnamed, 'gemma.gguf');
  tell('gemma.gguf', { hidden_act: 'gelu_pytorch_tanh', embedding_multiplier: 24 ** 0.5 });
  try {
    await assertSays(gemma, path.join(inferred, 'gemma'), 'newcomer');
  } finally {
    tell('gemma.gguf', {});
  }
});

for (const [name, architecture, oracle] of [
  ['gemma2', 'gemma2', 'gemma2'],
  ['mixtral', 'llama', 'mixtral'],
  ['granite', 'granite', path.join(inferred, 'granite')],
] as const)
  test(`${name}: what llama.cpp's graph does is known by its name`, async () => {
    const file = path.join(unnamed, `${name}.gguf`);
    await assertSays(file, oracle, architecture);
    assert.deepEqual((await told(file)).assumed, []);
  });

test('LongRoPE’s divisors are tensors, and others beyond the original context', () =>
  assertSays(path.join(unnamed, 'phi3_long_grown.gguf'), path.join(fixtures, '../oracles_more/phi3_long_grown'), 'phi3'));

test('a truth value for each layer says which slide', () =>
  assertSays(path.join(unnamed, 'cohere2.gguf'), path.join(inferred, 'cohere2'), 'cohere2'));

test('what a name does not tell and a key could is asked for', async () => {
  const { unsupported } = await told(renamed(path.join(unnamed, 'mixtral.gguf'), 'llama', 'nobel'));
  assert.equal(unsupported?.code, 'ARCHITECTURE_UNKNOWN');
  assert.match(unsupported?.message ?? '', /no norm_topk_prob: whether the weights of the chosen experts/);
  const window = await told(renamed(path.join(unnamed, 'gemma2.gguf'), 'gemma2', 'gamma2'));
  assert.match(window.unsupported?.message ?? '', /sliding_window is 8: for which layers only layer_types/);
  const scale = await told(renamed(path.join(unnamed, 'granite.gguf'), 'granite', 'marbles'));
  assert.match(scale.unsupported?.message ?? '', /marbles\.logit_scale is 2\.5, and what it changes is unknown/);
});

test('what is no decoder is refused with a list, and keeps its names', async () => {
  for (const [file, was, name, says] of [
    ['rwkv7', 'rwkv7', 'rwkv9', /no embedding beside a list of blocks/],
    ['gemma3_text', 'gemma3', 'gemma9', /sliding_window is|freq_base|rope_local|turn/],
  ] as const) {
    const { unsupported } = await told(renamed(path.join(formats, `${file}.gguf`), was, name));
    assert.equal(unsupported?.code, 'ARCHITECTURE_UNKNOWN', file);
    assert.match(unsupported?.message ?? '', says);
  }
});
