import assert from 'node:assert/strict';
import path from 'node:path';
import { readTensor } from '../../../server/formats/read.js';
import { openCheckpoint } from '../../../server/formats/registry.js';
import { root } from '../codeServer.js';
import { type Theme, tableCells, uiTest } from '../ui.js';
import { promptModel } from './runs.js';

const folder = path.join(root, 'media/models/tiny-rwkv7');

uiTest('the weights of the active model: facts, tree, values', { width: 1500, height: 950 }, async (lab) => {
  await promptModel(lab, 'tiny-rwkv7', 'Once upon a time', 2);
  await lab.command('Model Lab: Show Weights');
  const view = await lab.webview('weights');
  const checkpoint = await openCheckpoint(folder);
  await view.getByRole('tab', { name: `Tensors ${checkpoint.tensors.size}` }).waitFor({ timeout: 60_000 });

  // By keyboard: search, then down the tree to the tensor.
  await view.locator('body').press('/');
  await view.locator('.search').fill('lm_head');
  await view.locator('.search').press('Tab');
  const tree = view.getByRole('tree');
  await tree.focus();
  await tree.press('Home');
  await tree.press('Enter');
  const entry = checkpoint.tensors.get('lm_head.weight');
  assert.ok(entry);
  await view.getByRole('heading', { name: 'lm_head.weight' }).waitFor();
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

for (const [theme, width] of [
  ['light', 1100],
  ['hc', 700],
] as [Theme, number][]) {
  uiTest(`declared state in the ${theme} theme, ${width} pixels wide`, { theme, width, height: 900 }, async (lab) => {
    await promptModel(lab, 'tiny-llama', 'Once upon a time', 2);
    await lab.command('Model Lab: Show Weights');
    const view = await lab.webview('weights');
    await view.getByRole('tab', { name: 'Declared state' }).click({ timeout: 60_000 });
    await view.getByRole('spinbutton').fill('1000');
    // 5 layers × k and v × 2 KV heads × 32 × 4 bytes × 1,000 tokens.
    await view.getByText('2.56 MB').waitFor();
    await lab.screenshot(`weights declared ${theme}`);
  });
}

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
