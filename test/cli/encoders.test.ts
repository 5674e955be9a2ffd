import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { writeSafetensors } from '../../server/formats/writeSafetensors.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { readOracle as readTensors } from '../fixtures/readOracle.js';
import { assertClose } from '../parity/oracle.js';
import { cli, root } from './command.js';

const fixtures = path.join(root, 'test/fixtures');
const folder = mkdtempSync(path.join(tmpdir(), 'model-lab-encoders-'));
const kite = path.join(fixtures, 'images/kite.png');
const sentences = ['a red kite over a field', 'a green key', 'Two kites, and the sky!'];

let runs = 0;

/** What `run` writes. */
async function run(model: string, ...args: string[]): Promise<Map<string, Tensor>> {
  const out = path.join(folder, `${++runs}.safetensors`);
  const { status, stderr } = cli('run', path.join(fixtures, model), ...args, '--out', out);
  assert.equal(status, 0, stderr);
  return readTensors(out);
}

const oracleOf = (model: string) => readTensors(path.join(fixtures, model, 'oracle.safetensors'));

/** Each of `names` as the reference has it. */
async function assertSame(model: string, written: ReadonlyMap<string, Tensor>, names: readonly string[]): Promise<void> {
  const oracle = await oracleOf(model);
  for (const name of names) assertClose(name, written.get(name) as Tensor, oracle.get(name) as Tensor);
}

test('vit: an image is prepared, classified and inspected', async () => {
  const written = await run('oracles_encoders/vit_folder', '--image', kite, '--probe', 'blocks.i.attn.pattern');
  const oracle = await oracleOf('oracles_encoders/vit_folder');
  assert.deepEqual(written.get('pixel_values')?.data, oracle.get('pixel_values')?.data);
  await assertSame('oracles_encoders/vit_folder', written, ['logits']);
  for (const i of [0, 1])
    assertClose(`attn.${i}`, written.get(`blocks.${i}.attn.pattern`) as Tensor, oracle.get(`attn.${i}`) as Tensor);
});

for (const model of ['clip_folder', 'siglip_folder'])
  test(`${model}: an image and texts meet`, async () => {
    const texts = sentences.flatMap((text) => ['--prompt', text]);
    const written = await run(
      `oracles_encoders/${model}`,
      '--image',
      kite,
      ...texts,
      '--probe',
      'text.blocks.*.attn.pattern',
      '--probe',
      'vision.embed',
    );
    const names = ['input_ids', 'image_embeds', 'text_embeds', 'logits_per_image', 'logits_per_text'];
    await assertSame(`oracles_encoders/${model}`, written, names);
    const oracle = await oracleOf(`oracles_encoders/${model}`);
    assertClose('vision.embed', written.get('vision.embed') as Tensor, oracle.get('vision.hidden.0') as Tensor);
    assertClose('text pattern', written.get('text.blocks.1.attn.pattern') as Tensor, oracle.get('text.attn.1') as Tensor);
  });

test('clip: one tower alone', async () => {
  const written = await run('oracles_encoders/clip_folder', '--image', kite);
  await assertSame('oracles_encoders/clip_folder', written, ['image_embeds']);
  assert.ok(!written.has('text_embeds') && !written.has('logits_per_image'));
});

test('bert: a text is read with the tokenizer beside it', async () => {
  const written = await run('oracles_encoders/bert_folder', '--prompt', sentences[0] as string, '--probe', 'blocks.*.resid_mid');
  await assertSame('oracles_encoders/bert_folder', written, ['input_ids', 'logits']);
  assert.equal(written.get('blocks.1.resid_mid')?.shape.length, 2);
});

for (const [model, names] of [
  ['oracles/bert', ['pooler']],
  ['oracles/clip', ['image_embeds', 'text_embeds', 'logits_per_image']],
  ['oracles/siglip', ['image_embeds', 'text_embeds', 'logits_per_image']],
  ['oracles/dinov2', ['pooler', 'last_hidden_state']],
  ['oracles/vim', ['logits']],
  ['oracles_encoders/clip_many', ['image_embeds', 'logits_per_text']],
] as const)
  test(`${model}: inputs by name from a file`, async () =>
    assertSame(model, await run(model, '--inputs', path.join(fixtures, model, 'oracle.safetensors')), names));

test('ids, and a batch axis', async () => {
  const { data } = (await oracleOf('oracles/bert')).get('input_ids') as Tensor;
  await assertSame('oracles/bert', await run('oracles/bert', '--ids', [...data].join(',')), ['pooler']);
  const inputs = path.join(folder, 'batch.safetensors');
  await writeSafetensors(inputs, new Map([['input_ids', { shape: [1, data.length], data: Int32Array.from(data) }]]));
  await assertSame('oracles/bert', await run('oracles/bert', '--inputs', inputs), ['pooler']);
});

test('a language model takes its ids from a file too', async () => {
  const file = path.join(fixtures, 'oracles/gpt2/oracle.safetensors');
  await assertSame('oracles/gpt2', await run('oracles/gpt2', '--inputs', file), ['logits']);
});

test('inspect says what goes in and what comes out', () => {
  const said = JSON.parse(cli('inspect', path.join(fixtures, 'oracles/clip')).stdout);
  assert.equal(said.architecture, 'clip');
  assert.deepEqual(
    said.inputs.map(({ name, shape, optional }: { name: string; shape: unknown[]; optional: boolean }) => [
      name,
      shape,
      optional,
    ]),
    [
      ['pixel_values', ['vision.B', 3, 32, 32], false],
      ['input_ids', ['text.B', 'T'], false],
      ['attention_mask', ['text.B', 'T'], true],
    ],
  );
  assert.ok(said.outputs.includes('logits_per_image') && said.probes.includes('text.blocks.i.attn.pattern'));
  assert.deepEqual(
    said.layers.map(({ tower, index }: { tower: string; index: number }) => `${tower}.${index}`),
    ['vision.0', 'vision.1', 'text.0', 'text.1'],
  );
});

const wide = path.join(folder, 'wide.safetensors');
await writeSafetensors(wide, new Map([['pixel_values', { shape: [3, 16, 16], data: new Float32Array(768) }]]));
const far = path.join(folder, 'far.safetensors');
await writeSafetensors(far, new Map([['input_ids', { shape: [2], data: Int32Array.of(3, 80) }]]));
copyFileSync(path.join(fixtures, 'images/short.png'), path.join(folder, 'short.png'));

for (const [what, model, args, code] of [
  ['a damaged image', 'oracles_encoders/vit_folder', ['--image', path.join(folder, 'short.png')], 'IMAGE_INVALID'],
  ['no image at all', 'oracles_encoders/vit_folder', ['--image', path.join(folder, 'none.png')], 'FILE_NOT_FOUND'],
  ['pixels of another size', 'oracles/vit', ['--inputs', wide], 'INPUT_SHAPE'],
  ['an image without a preprocessor', 'oracles/vit', ['--image', kite], 'PREPROCESSOR_MISSING'],
  ['a text for a model of images', 'oracles/vit', ['--prompt', 'hello'], 'INPUT_UNKNOWN'],
  ['an image for a model of texts', 'oracles/bert', ['--image', kite], 'INPUT_UNKNOWN'],
  ['an image for a language model', 'oracles/gpt2', ['--image', kite], 'INPUT_UNKNOWN'],
  ['a word beyond the vocabulary', 'oracles/bert', ['--inputs', far], 'TOKEN_INVALID'],
  ['too many words', 'oracles/bert', ['--ids', new Array(33).fill(5).join()], 'CONTEXT_FULL'],
  ['nothing', 'oracles/bert', [], 'USAGE'],
  ['no tokenizer', 'oracles/bert', ['--prompt', 'hello'], 'TOKENIZER_MISSING'],
  [
    'the probe of a tower that was given nothing',
    'oracles_encoders/clip_folder',
    ['--image', kite, '--probe', 'text.embed'],
    'INPUT_MISSING',
  ],
  ['an unknown probe', 'oracles/bert', ['--ids', '5', '--probe', 'blocks.0.attn.c_kv'], 'PROBE_UNKNOWN'],
  ['going on', 'oracles/bert', ['--ids', '5', '--generate', '3'], 'USAGE'],
  ['two ways to give pixels', 'oracles_encoders/vit_folder', ['--image', kite, '--inputs', wide], 'USAGE'],
] as const)
  test(`${what}: one line, ${code}, exit 2, no file`, () => {
    const out = path.join(folder, 'refused.safetensors');
    const { status, stderr } = cli('run', path.join(fixtures, model), ...args, '--out', out);
    assert.equal(status, 2, stderr);
    assert.match(stderr, new RegExp(`^error\\[${code}\\]: .+\\n$`));
    assert.ok(!existsSync(out));
  });
