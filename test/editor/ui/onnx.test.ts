import assert from 'node:assert/strict';
import { copyFileSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Frame } from 'playwright-core';
import { withTokenizer, words } from '../../fixtures/onnx/wordTokenizer.js';
import { type OracleTensor, readOracle } from '../../fixtures/readOracle.js';
import { root } from '../codeServer.js';
import { eventually, heard, settled, tableCells, uiTest, type Workbench } from '../ui.js';
import { probabilities, promptModel } from './runs.js';

/** ONNX graphs in the editor, held to PyTorch and NumPy (test/fixtures/onnx/make*.py). */
const fixtures = path.join(root, 'test/fixtures');
const workspace = (): string => mkdtempSync(path.join(tmpdir(), 'model-lab-onnx-'));

const parsed = (text: string | undefined): number => Number((text ?? '').replaceAll('−', '-'));
const near = (actual: number, expected: number, what: string, tolerance = 2e-4) =>
  assert.ok(Math.abs(actual - expected) <= tolerance * (1 + Math.abs(expected)), `${what}: ${actual}, reference ${expected}`);

async function references(file: string): Promise<(name: string) => OracleTensor> {
  const tensors = await readOracle(path.join(fixtures, 'onnx', file));
  return (name) => tensors.get(name) as OracleTensor;
}

async function fromExplorer(lab: Workbench, name: string): Promise<Frame> {
  // before the extension is there, the file would open as text
  await lab.page.locator('.statusbar-item[id*="modelLab.status"]').waitFor();
  await lab.page.locator('.explorer-folders-view .monaco-list-row', { hasText: name }).first().dblclick();
  return lab.webview('checkpoint');
}

async function architecture(lab: Workbench): Promise<Frame> {
  await lab.command('Model Lab: Show Architecture');
  const view = await lab.webview('architecture');
  await view.locator('.graph-stage').waitFor();
  await view.locator('.graph-stage').focus();
  return view;
}

/** Finds a box by its text, and goes there. */
async function find(view: Frame, text: string, says: RegExp): Promise<void> {
  await view.locator('.graph-stage').press('/');
  const search = view.getByRole('textbox', { name: 'Search in the graph' });
  await search.fill(text);
  await view.locator('.strip-search [role=status]', { hasText: / of \d/ }).waitFor();
  await search.press('Enter');
  await search.press('Escape');
  await heard(view, says);
}

/** Numbers of a heat map's table twin that are in the page: row, column, value. */
async function cellsOf(view: Frame, place: string): Promise<[row: number, col: number, value: number][]> {
  const stage = view.locator(`${place} .heatmap-stage`).first();
  await stage.waitFor();
  await stage.focus();
  await stage.press('t');
  const table = view.locator(`${place} .grid-table table`).first();
  await table.waitFor();
  const [header = [], ...rows] = await tableCells(table);
  return rows.flatMap(([name, ...values]) =>
    values.flatMap((text, i): [number, number, number][] => {
      const at = [Number(name || 'none'), Number(header[i + 1] || 'none')] as const;
      return at.every(Number.isInteger) && text !== '' ? [[...at, parsed(text)]] : [];
    }),
  );
}

const chat = workspace();
withTokenizer('lm/torchscript_eager.onnx', chat, 101);

uiTest(
  'a language model exported to ONNX: opened, prompted, looked into',
  { folder: chat, width: 1600, height: 1000 },
  async (lab) => {
    const of = await references('lm/expected.safetensors');
    const ids = [...of('input_ids').data];
    const last = ids.length - 1;
    const file = await fromExplorer(lab, 'torchscript_eager.onnx');
    await file.getByRole('tab', { name: 'Inputs, outputs' }).click();
    const given = await tableCells(file.getByRole('table', { name: 'Inputs' }));
    assert.deepEqual(given[1], ['input_ids', 'int64', '[batch_size, sequence_length]', '']);
    assert.equal(given.length, 1 + 3 + 4);
    await lab.screenshot('onnx checkpoint');

    await file.getByRole('button', { name: 'Run in Model Lab' }).click();
    const prompt = await promptModel(lab, 'torchscript_eager', words(ids), 0);
    await eventually(async () => assert.equal(await prompt.locator('.flow .token').count(), ids.length));
    const nats = ids.slice(1).reduce((sum, id, t) => sum - Math.log(probabilities(of('logits'), t)[id] ?? Number.NaN), 0) / last;
    const counters = await prompt.locator('.counters', { hasText: 'loss' }).innerText();
    assert.ok(Math.abs(Number(counters.match(/loss ([\d.]+)/)?.[1]) - nats) < 0.0051, `${counters}; reference ${nats}`);

    await prompt.getByRole('button', { name: 'Attention' }).click();
    const attention = await lab.webview('attention');
    const strip = attention.locator('.strip-scroll');
    await strip.waitFor();
    await strip.focus();
    await strip.press('End');
    await attention.locator('body').press(']');
    await attention.getByRole('heading', { name: new RegExp(`head 1\\.0 .* token ${last} `) }).waitFor();
    const bars = attention.locator('.row-details .bar');
    await bars.first().waitFor();
    await settled(attention);
    const { data, shape } = of('blocks.1.attn.pattern');
    const T = shape[1] ?? 0;
    for (const bar of await bars.allInnerTexts()) {
      const [label = '', value = ''] = bar.split('\n');
      near(parsed(value), data[last * T + Number.parseInt(label, 10)] ?? Number.NaN, `weight of ${label}`, 6e-4);
    }
    await lab.screenshot('onnx attention');

    const view = await architecture(lab);
    await find(view, 'resid_mid', /resid_mid, Add/);
    // the block chosen in the other view may come after the search
    await eventually(async () => {
      if ((await view.locator('.graph-crumbs', { hasText: 'block 1' }).count()) > 0) return;
      await view.locator('.graph-stage').press(']');
      throw new Error('not in block 1');
    });
    const row = of('blocks.1.resid_mid').data.subarray(last * 48, (last + 1) * 48);
    await view.locator('.graph-side .statistics').first().waitFor();
    await settled(view);
    await lab.screenshot('onnx architecture');
    const cells = await cellsOf(view, '.graph-side');
    assert.ok(cells.length > 1, `only ${cells.length} values in the table`);
    for (const [, col, value] of cells) near(value, row[col] ?? Number.NaN, `resid_mid ${col}`);
  },
);

const tensors = workspace();
cpSync(path.join(fixtures, 'onnx/external'), tensors, { recursive: true });
copyFileSync(path.join(fixtures, 'formats/arrays/given.npy'), path.join(tensors, 'given.npy'));

uiTest(
  'a graph run on a NumPy array, and any value of it',
  { folder: tensors, theme: 'light', width: 1500, height: 950 },
  async (lab) => {
    const of = await references('external.safetensors');
    const out = path.join(tensors, 'model.onnx-values.safetensors');
    // a second attempt would be asked whether to write over it
    rmSync(out, { force: true });
    const { data, shape } = of('hidden');
    const cols = shape[1] as number;
    await fromExplorer(lab, 'model.onnx').then((view) => view.getByRole('tab', { name: /^Tensors/ }).waitFor());
    await lab.command('Model Lab: Run Model on Tensors…');
    // typed, it would be lost when the dialog lists its folder late
    await lab.pick('given.npy');
    await lab.pick('hidden');
    await lab.page
      .locator('.quick-input-widget .quick-input-action .monaco-button, .quick-input-widget .monaco-button')
      .first()
      .click();
    // where it offers to write, once it does
    await lab.typed((text) => text === out);
    await lab.page.keyboard.press('Enter');
    await lab.page.locator('.tabs-container .tab.active', { hasText: path.basename(out) }).waitFor();
    await lab.screenshot('onnx tensors');
    for (const [name, tensor] of await readOracle(out))
      for (const [i, value] of (name === 'given' ? new Float32Array() : tensor.data).entries())
        near(value, of(name).data[i] ?? Number.NaN, `${name} ${i}`);

    const view = await architecture(lab);
    await view.getByRole('heading', { name: 'How model.onnx computes' }).waitFor();
    await find(view, 'matmul', /MatMul/);
    await settled(view);
    await lab.screenshot('onnx graph');
    const cells = await cellsOf(view, '.graph-side');
    assert.ok(cells.length > 1, `only ${cells.length} values in the table`);
    for (const [row, col, value] of cells) near(value, data[row * cols + col] ?? Number.NaN, `hidden ${row},${col}`);
  },
);

const recurrent = workspace();
withTokenizer('recurrent/gru.onnx', recurrent, 37);

uiTest('the state of a GRU of a graph', { folder: recurrent, theme: 'hc', width: 1400, height: 950 }, async (lab) => {
  const of = await references('recurrent/expected.safetensors');
  const ids = [...of('ids').data];
  await promptModel(lab, 'gru.onnx', words(ids), 0);
  await lab.command('Model Lab: Show State');
  const view = await lab.webview('state');
  const strip = view.locator('.strip-scroll');
  await strip.waitFor();
  await strip.focus();
  await strip.press('End');
  await view.getByRole('heading', { name: new RegExp(`after token ${ids.length - 1} `) }).waitFor();
  await view.locator('.badge').first().waitFor();
  await view.getByText('h_t = z_t ⊙ h_{t−1} + (1 − z_t) ⊙ h̃_t').waitFor();
  await settled(view);
  await lab.screenshot('onnx state');
  const { data, shape } = of('gru.h');
  const width = shape[1] as number;
  const cells = await cellsOf(view, '.picture');
  assert.ok(cells.length > 3, `only ${cells.length} values in the table`);
  for (const [row, col, value] of cells)
    near(value, data[(ids.length - 1) * width + row + col] ?? Number.NaN, `h ${row},${col}`, 2e-3);
});
