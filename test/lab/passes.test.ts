import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { RunDetail } from '../../server/protocol/runs.js';
import type { WireTensor } from '../../server/protocol/tensors.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { code } from '../code.js';
import { readOracle } from '../fixtures/readOracle.js';
import { assertClose } from '../parity/oracle.js';
import { openLab } from './harness.js';

const fixtures = path.resolve(import.meta.dirname, '../fixtures');
const folder = (name: string) => path.join(fixtures, name);
const kite = path.join(fixtures, 'images/kite.png');
const sentences = ['a red kite over a field', 'a green key', 'Two kites, and the sky!'];

const it = openLab();
after(() => it.lab.dispose());

const image = (name: string) => it.run({ path: folder(name), prompt: null, image: kite });
const text = (name: string, prompt: string) => it.run({ path: folder(name), prompt });
const ok = (run: RunDetail) => assert.deepEqual([run.status, run.error], ['done', null]);

test('an image is a run: its tokens are its patches', async () => {
  const run = await image('oracles_encoders/vit_folder');
  ok(run);
  assert.equal(run.title, 'kite.png');
  assert.deepEqual(
    run.tokenInfos.slice(0, 6).map(({ text }) => text),
    ['[class]', '0,0', '0,1', '0,2', '0,3', '0,4'],
  );
  await assert.rejects(it.ask('runs/branch', { run: run.id, token: 1, id: 0 }), code('MODEL_ONE_PASS'));
  const picture = await it.ask('runs/picture', { run: run.id });
  assert.deepEqual([picture.rows, picture.cols, picture.patch, picture.pixels.shape], [8, 8, [12, 12], [96, 96, 3]]);
  assert.deepEqual(picture.cells, [null, ...Array.from({ length: 64 }, (_, i) => i)]);
  const oracle = await readOracle(folder('oracles_encoders/vit_folder/oracle.safetensors'));
  // bytes/255, less a half, over a half
  const pixels = oracle.get('pixel_values')?.data as Float32Array;
  assert.ok(Math.abs((picture.pixels.data[3 * 5 + 1] as number) / 127.5 - 1 - (pixels[96 * 96 + 5] as number)) < 1e-6);
});

test('a header says what goes in, as it travels', async () => {
  const { inputs, outputs, layers } = await it.ask('models/inspect', { path: folder('oracles_encoders/clip_folder') });
  assert.deepEqual(
    inputs.map(({ name }) => name),
    ['pixel_values', 'input_ids', 'attention_mask'],
  );
  assert.ok(outputs.includes('logits_per_image'));
  assert.equal(layers.length, 4);
});

test('its classes are those of the reference, by the names in the config', async () => {
  const run = await image('oracles_encoders/vit_folder');
  const { classes, outputs, matches } = await it.ask('runs/outputs', { run: run.id });
  const logits = (await readOracle(folder('oracles_encoders/vit_folder/oracle.safetensors'))).get('logits') as Tensor;
  const names = ['kite', 'key', 'cloud', 'field'];
  const order = [...logits.data.keys()].sort((a, b) => (logits.data[b] as number) - (logits.data[a] as number));
  assert.deepEqual(
    classes?.map(({ label }) => label),
    order.map((i) => names[i]),
  );
  const total = logits.data.reduce((sum, x) => sum + Math.exp(x), 0);
  assert.ok(Math.abs((classes?.[0]?.probability as number) - Math.exp(logits.data[order[0] as number] as number) / total) < 1e-5);
  assert.equal(matches, null);
  assert.deepEqual(
    outputs.map(({ name, shape }) => [name, shape]),
    [
      ['last_hidden_state', [65, 24]],
      ['logits', [4]],
    ],
  );
});

test('its attention sees in all directions', async () => {
  const run = await image('oracles_encoders/vit_folder');
  const pattern = (await readOracle(folder('oracles_encoders/vit_folder/oracle.safetensors'))).get('attn.1') as Tensor;
  const T = 65;
  const row = (head: number, query: number) => pattern.data.slice((head * T + query) * T, (head * T + query + 1) * T);
  const at = { run: run.id, layer: 1, head: 2 };
  const read = await it.ask('attention/row', { ...at, query: 3 });
  assertClose('row', read.weights, { shape: [T], data: row(2, 3) }, 1e-5);
  const cell = await it.ask('attention/cell', { ...at, query: 3, key: 11 });
  assert.equal(cell.mask, 'visible');
  assert.ok(Math.abs(cell.weight - (row(2, 3)[11] as number)) < 1e-5);
  assert.ok(Math.abs(Math.exp(cell.score - cell.logSumExp) - cell.weight) < 1e-5);
  const { thumbnails, causal, pool } = await it.ask('attention/thumbnails', { run: run.id, layer: 1, count: T, sample: false });
  assert.equal(causal, false);
  const size = thumbnails.shape[1] as number;
  assert.equal(size, Math.ceil(T / pool));
  for (const [query, key] of [
    [1, 5],
    [5, 1],
    [2, size - 1],
  ] as const) {
    const cell = Array.from({ length: pool }, (_, i) => [...row(2, query * pool + i).slice(key * pool, (key + 1) * pool)]).flat();
    assert.equal(thumbnails.data[(2 * size + query) * size + key], Math.round(Math.max(...cell) * 255));
  }
  const cache = await it.ask('cache/overview', { run: run.id });
  assert.deepEqual(cache.layers, []);
});

for (const [name, probability] of [
  [
    'clip_folder',
    (logits: number[], i: number) => Math.exp(logits[i] as number) / logits.reduce((sum, x) => sum + Math.exp(x), 0),
  ],
  ['siglip_folder', (logits: number[], i: number) => 1 / (1 + Math.exp(-(logits[i] as number)))],
] as const)
  test(`${name}: an image meets the texts that went through the other tower`, async () => {
    const model = `oracles_encoders/${name}`;
    const run = await image(model);
    const texts: RunDetail[] = [];
    for (const sentence of sentences) texts.push(await text(model, sentence));
    texts.forEach(ok);
    assert.deepEqual([run.tower, texts[0]?.tower], ['vision', 'text']);
    const { matches, other } = await it.ask('runs/outputs', { run: run.id });
    assert.equal(other, 'text');
    const logits = [...((await readOracle(folder(`${model}/oracle.safetensors`))).get('logits_per_image') as Tensor).data];
    for (const [i, { id, title }] of texts.entries()) {
      const match = matches?.find(({ run }) => run === id);
      assert.equal(match?.title, title);
      assert.ok(Math.abs((match?.logit as number) - (logits[i] as number)) < 1e-4);
      assert.ok(Math.abs((match?.probability as number) - probability(logits, i)) < 1e-4);
    }
    const back = await it.ask('runs/outputs', { run: texts[0]?.id as string });
    assert.deepEqual(
      back.matches?.map(({ run }) => run),
      [run.id],
    );
    assert.equal(back.matches?.[0]?.logit, matches?.find((m) => m.run === texts[0]?.id)?.logit);
  });

/** A head of a reference's [H,T,T], of which only the first n tokens are there. */
function headOf({ shape, data }: Tensor, head: number, n: number): Tensor {
  const T = shape.at(-1) as number;
  const weights = Float32Array.from({ length: n * n }, (_, i) => data[(head * T + Math.floor(i / n)) * T + (i % n)] as number);
  return { shape: [n, n], data: weights };
}

for (const [model, tower, runs] of [
  ['vit_folder', '', [null]],
  ['clip_folder', 'vision.', [null]],
  ['clip_folder', 'text.', sentences],
  ['siglip_folder', 'vision.', [null]],
  ['siglip_folder', 'text.', sentences],
  ['bert_folder', '', [sentences[0] as string]],
] as const)
  test(`maps of ${model} ${tower} are the reference's dense pattern`, async () => {
    const oracle = await readOracle(folder(`oracles_encoders/${model}/oracle.safetensors`));
    for (const [index, prompt] of runs.entries()) {
      const run = prompt === null ? await image(`oracles_encoders/${model}`) : await text(`oracles_encoders/${model}`, prompt);
      ok(run);
      const T = run.tokenInfos.length;
      for (const layer of [0, 1]) {
        const all = oracle.get(`${tower}attn.${layer}`) as Tensor;
        const [H] = all.shape.slice(-3) as [number];
        const [of, size] = [all.shape.slice(-3), all.data.length / (all.shape.length > 3 ? (all.shape[0] as number) : 1)];
        const pattern = { shape: of, data: all.data.slice(index * size, (index + 1) * size) };
        for (let head = 0; head < H; head++) {
          const at = { run: run.id, layer, head };
          const { weights } = await it.ask('attention/tile', { ...at, count: T, level: 0, row: 0, col: 0, pool: 'mean' });
          assertClose(`${layer}.${head}`, weights as WireTensor, headOf(pattern, head, T), 1e-5);
        }
      }
    }
  });

test('a text is a run whose hidden words are filled in', async () => {
  const run = await text('oracles_encoders/bert_folder', sentences[0] as string);
  ok(run);
  const logits = (await readOracle(folder('oracles_encoders/bert_folder/oracle.safetensors'))).get('logits') as Tensor;
  const [T, V] = logits.shape as [number, number];
  assert.equal(run.tokenInfos.length, T);
  assert.equal(run.tokenInfos[0]?.text, '[CLS]');
  const row = logits.data.slice(2 * V, 3 * V);
  const total = row.reduce((sum, x) => sum + Math.exp(x), 0);
  const id = run.tokenInfos[2]?.id as number;
  assert.ok(Math.abs((run.tokenInfos[2]?.probability as number) - Math.exp(row[id] as number) / total) < 1e-6);
  assert.equal(run.tokenInfos[2]?.alternatives[0]?.id, row.indexOf(Math.max(...row)));
  const [start, end] = [run.tokenInfos[1]?.start as number, run.tokenInfos[1]?.end as number];
  assert.equal(sentences[0]?.slice(start, end), 'a');
});

test('vim: both directions of the state', async () => {
  const vim = mkdtempSync(path.join(tmpdir(), 'model-lab-vim-'));
  cpSync(folder('oracles/vim'), vim, { recursive: true });
  const processor = { image_processor_type: 'ViTImageProcessor', size: { height: 32, width: 32 } };
  writeFileSync(path.join(vim, 'preprocessor_config.json'), JSON.stringify(processor));
  const run = await it.run({ path: vim, prompt: null, image: kite });
  ok(run);
  const { layers } = await it.ask('state/overview', { run: run.id });
  assert.deepEqual(
    layers[0]?.states.map(({ name }) => name),
    ['ssm_fwd', 'ssm_bwd'],
  );
  for (const state of ['ssm_fwd', 'ssm_bwd'])
    for (const token of [0, 7, 16]) {
      const step = await it.ask('state/step', { run: run.id, layer: 0, state, group: 0, token, against: null });
      const [n, before, after] = [step.after.data.length, step.before.data, step.after.data];
      for (let i = 0; i < n; i++) {
        const expected = (step.decay?.data[i] as number) * (before[i] as number) + (step.write?.data[i] as number);
        assert.ok(Math.abs((after[i] as number) - expected) < 1e-5 * (1 + Math.abs(expected)));
      }
      assert.ok((step.identity?.error as number) < 1e-5 * (1 + (step.identity?.magnitude as number)));
      if (token === (state === 'ssm_fwd' ? 0 : 16)) assert.ok(before.every((x) => x === 0));
    }
});

test('what is wrong with a pass is told by its run, and the lab goes on', async () => {
  const failed = await it.run({ path: folder('oracles_encoders/vit_folder'), prompt: 'a text' });
  assert.deepEqual([failed.status, failed.error?.code], ['failed', 'INPUT_UNKNOWN']);
  await assert.rejects(it.ask('runs/outputs', { run: failed.id }), code('INPUT_UNKNOWN'));
  const absent = await it.run({
    path: folder('oracles_encoders/vit_folder'),
    prompt: null,
    image: path.join(fixtures, 'images/none.png'),
  });
  assert.equal(absent.error?.code, 'FILE_NOT_FOUND');
  ok(await image('oracles_encoders/vit_folder'));
});
