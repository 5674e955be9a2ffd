import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { promisify } from 'node:util';
import type { Frame } from 'playwright-core';
import { readTensor } from '../../../server/formats/read.js';
import { openCheckpoint } from '../../../server/formats/registry.js';
import { root } from '../codeServer.js';
import { looks, tableCells, uiTest } from '../ui.js';
import { promptModel } from './runs.js';

const folder = path.join(root, 'media/models/tiny-rwkv7');
const cli = path.join(root, 'dist/cli.js');
const run = promisify(execFile);

/** A checkpoint and what quantising made of it. */
const pair = mkdtempSync(path.join(tmpdir(), 'model-lab-pair-'));
for (const [name, fixture] of [
  ['base', 'gguf_llama_f16'],
  ['quantised', 'gguf_llama_q8_0'],
])
  copyFileSync(path.join(root, `test/fixtures/oracles/${fixture}/model.gguf`), path.join(pair, `${name}.gguf`));
after(() => rmSync(pair, { recursive: true }));

/** By keyboard: search, then down the tree to the tensor. */
async function choose(view: Frame, name: string): Promise<void> {
  await view.getByRole('tab', { name: /^Tensors/ }).waitFor({ timeout: 60_000 });
  await view.locator('body').press('/');
  await view.locator('.search').fill(name);
  await view.locator('.search').press('Tab');
  const tree = view.getByRole('tree');
  await tree.focus();
  await tree.press('Home');
  await tree.press('Enter');
  await view.getByRole('heading', { name }).waitFor();
}

uiTest('the weights of the active model: facts, tree, values', { width: 1500, height: 950 }, async (lab) => {
  await promptModel(lab, 'tiny-rwkv7', 'Once upon a time', 2);
  await lab.command('Model Lab: Show Weights');
  const view = await lab.webview('weights');
  const checkpoint = await openCheckpoint(folder);
  await view.getByRole('tab', { name: `Tensors ${checkpoint.tensors.size}` }).waitFor({ timeout: 60_000 });

  await choose(view, 'lm_head.weight');
  const entry = checkpoint.tensors.get('lm_head.weight');
  assert.ok(entry);
  await view.locator('.tensor-detail .heatmap-stage').waitFor({ timeout: 60_000 });

  const values = await readTensor(checkpoint, entry);
  const fact = async (name: string) =>
    (
      await view
        .locator('.tensor-detail .statistics > div', { has: view.locator('dt', { hasText: new RegExp(`^${name}$`) }) })
        .locator('dd')
        .innerText()
    ).trim();
  const shown = Number((await fact('max')).replace('−', '-'));
  assert.ok(Math.abs(shown - values.reduce((most, value) => Math.max(most, value), -Infinity)) < 1e-5);
  assert.equal(await fact('NaN'), '0');
  assert.equal(await fact('values'), values.length.toLocaleString('en'));
  await lab.screenshot('weights');
});

uiTest('declared state in other themes, in the middle and narrow', { height: 900 }, async (lab) => {
  await promptModel(lab, 'tiny-llama', 'Once upon a time', 2);
  await lab.command('Model Lab: Show Weights');
  const view = await lab.webview('weights');
  await view.getByRole('tab', { name: 'Declared state' }).click({ timeout: 60_000 });
  await view.getByRole('spinbutton').fill('1000');
  // 5 layers × k and v × 2 KV heads × 32 × 4 bytes × 1,000 tokens.
  await view.getByText('2.56 MB').waitFor();
  await looks(lab, view, 'weights declared', [
    ['light', 1100],
    ['hc', 700],
  ]);
});

const mamba = path.join(root, 'media/models/tiny-mamba');

uiTest(
  'a weight file opens in the checkpoint editor and runs from there',
  { folder: mamba, width: 1300, height: 900 },
  async (lab) => {
    await lab.openFile('model.safetensors');
    const view = await lab.webview('checkpoint', 60_000);
    const checkpoint = await openCheckpoint(mamba);
    await view.getByRole('tab', { name: `Tensors ${checkpoint.tensors.size}` }).waitFor({ timeout: 60_000 });
    await view.locator('body').press('t');
    const table = view.locator('.tensor-table table');
    await table.getByRole('button', { name: 'Size' }).click();
    const largest =
      [...checkpoint.tensors.values()].map(({ shape }) => shape.reduce((a, b) => a * b, 1)).sort((a, b) => b - a)[0] ?? 0;
    const [, first = []] = await tableCells(table).then((rows) => rows.filter((row) => row.length > 1));
    assert.equal(first[3], largest.toLocaleString('en'));
    await table.focus();
    await table.press('ArrowDown');
    await view.locator('.tensor-detail .heatmap-stage').waitFor({ timeout: 60_000 });
    await lab.screenshot('checkpoint');

    await view.getByRole('button', { name: 'Run in Model Lab' }).click();
    const prompt = await lab.webview('prompt', 60_000);
    await prompt.locator('.model-state', { hasText: /^\s*loaded/ }).waitFor({ timeout: 60_000 });
    const rows = await lab.treeRows('Models').allInnerTexts();
    assert.ok(!rows.some((row) => row.includes('model.safetensors')), 'the file is its model, not another one');
    await lab.screenshot('checkpoint run');
  },
);

uiTest('what a matrix does to a token, and how many directions it has', { width: 1500, height: 1050 }, async (lab) => {
  await promptModel(lab, 'tiny-llama', 'Once upon a time, there was a little girl named Lily.', 0);
  await lab.command('Model Lab: Show Weights');
  const view = await lab.webview('weights');
  const name = 'model.layers.3.self_attn.o_proj.weight';
  await choose(view, name);

  await view.getByRole('tab', { name: 'Singular values' }).click();
  const copy = view.getByRole('button', { name: 'Copy as command' });
  await copy.waitFor({ timeout: 60_000 });
  const [, ...words] = (await lab.copied(() => copy.click())).split(' ');
  assert.deepEqual(words.slice(1), ['weights', path.join(root, 'media/models/tiny-llama'), name]);
  const { stdout } = await run(process.execPath, words, { maxBuffer: 1 << 24 });
  const told = JSON.parse(stdout);
  await view
    .getByText(`${told.spectrum.effectiveRank.toFixed(1)} of ${Math.min(told.rows, told.cols)}`)
    .waitFor({ timeout: 60_000 });
  await lab.screenshot('weights spectrum');

  await view.getByRole('tab', { name: 'Channels' }).click();
  await view.getByText('Norm by row').waitFor({ timeout: 60_000 });
  await view.getByRole('tab', { name: 'Quantisation' }).click();
  const lost = view.getByRole('table', { name: /block formats lose/ });
  await lost.waitFor({ timeout: 60_000 });
  const losses = await tableCells(lost);
  assert.equal(losses.find(([format]) => format === 'Q8_0')?.[5], told.roundTrips[0].sqnr.toFixed(1));
  await lab.screenshot('weights quantisation');

  await view.getByRole('tab', { name: 'y = A x' }).click();
  const directions = view.getByRole('table', { name: 'The directions that carry most' });
  await directions.waitFor({ timeout: 60_000 });
  const rows = (await tableCells(directions)).slice(1).map((row) => Number.parseFloat(row[3] ?? ''));
  assert.ok(rows.length > 3 && rows.every((share, i) => i === 0 || share <= (rows[i - 1] as number)), `shares fall: ${rows}`);
  await view.getByRole('img', { name: 'holds' }).waitFor();
  await view.getByRole('button', { name: 'Previous token' }).click();
  await view.getByText(/token 11 of 13/).waitFor();
  await lab.screenshot('weights product');
});

uiTest('two checkpoints, tensor by tensor', { width: 1500, height: 1000, folder: pair }, async (lab) => {
  await lab.command('Model Lab: Compare Checkpoints…');
  await lab.pick('base');
  await lab.pick('quantised');
  const view = await lab.webview('checkpoint', 60_000);
  const table = view.locator('.diff-table table');
  await table.waitFor({ timeout: 60_000 });
  const [a, b] = ['base.gguf', 'quantised.gguf'].map((name) => path.join(pair, name)) as [string, string];
  const { stdout } = await run(process.execPath, [cli, 'diff', a, b]);
  const cells = (await tableCells(table))[1] ?? [];
  assert.ok(stdout.split('\n')[1]?.includes(cells[0] ?? '?'), 'the tensor that differs most comes first');
  await view.getByRole('region', { name: 'Tensors by how much they differ' }).press('ArrowDown');
  await view.getByText('effective rank').waitFor({ timeout: 60_000 });
  const command = await lab.copied(() => view.getByRole('button', { name: 'Copy as command' }).click());
  assert.ok(command.endsWith(` diff ${a} ${b}`), command);
  await lab.screenshot('checkpoint compare');
});
