import assert from 'node:assert/strict';
import { copyFileSync, cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Frame } from 'playwright-core';
import { readOracle } from '../../fixtures/readOracle.js';
import { root } from '../codeServer.js';
import { eventually, looks, settled, tableCells, uiTest, type Workbench } from '../ui.js';

const fixtures = path.join(root, 'test/fixtures');
const sentences = ['a red kite over a field', 'a green key', 'Two kites, and the sky!'];

/** A workspace with an image and some of the models. */
function workspace(...models: readonly string[]): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'model-lab-vision-'));
  copyFileSync(path.join(fixtures, 'images/kite.png'), path.join(folder, 'kite.png'));
  for (const model of models) cpSync(path.join(fixtures, model), path.join(folder, path.basename(model)), { recursive: true });
  return folder;
}

const oracleOf = (model: string) => readOracle(path.join(fixtures, model, 'oracle.safetensors'));
const numberOf = (text: string): number => Number(text.replaceAll('−', '-').replace(/ ?%.*/, ''));
const softmax = (logits: Float32Array): number[] => {
  const exps = Array.from(logits, Math.exp);
  const sum = exps.reduce((a, b) => a + b, 0);
  return exps.map((e) => e / sum);
};

/** Opens the image, and runs a model on what is on screen. */
async function runOnImage(lab: Workbench, pick: string | null): Promise<Frame> {
  await lab.openFile('kite.png');
  await lab.command('Model Lab: Run Model on Image…');
  if (pick !== null) await lab.pick(pick);
  const view = await lab.webview('prompt');
  await view.locator('.patches').waitFor({ timeout: 60_000 });
  return view;
}

uiTest(
  'an image opened in the editor runs: its patches, its classes',
  { folder: workspace('oracles_encoders/vit_folder') },
  async (lab) => {
    const view = await runOnImage(lab, null);
    const logits = (await oracleOf('oracles_encoders/vit_folder')).get('logits')?.data as Float32Array;
    const expected = softmax(logits);
    const bars = view.locator('.outputs .bar');
    await bars.nth(3).waitFor();
    await settled(view);
    const names = ['kite', 'key', 'cloud', 'field'];
    const shown = await bars.allInnerTexts();
    assert.equal(shown.length, 4);
    for (const text of shown) {
      const [label = '', value = ''] = text.split('\n');
      const probability = (expected[names.indexOf(label)] as number) * 100;
      assert.ok(
        Math.abs(numberOf(value) - probability) <= 0.06 * probability + 1e-3,
        `${label}: ${value}, reference ${probability} %`,
      );
    }
    const patches = view.locator('.patches [role=option]');
    await eventually(async () => assert.equal(await patches.count(), 65));
    await view.locator('.patches').focus();
    await view.locator('.patches').press('Home');
    await view.locator('.patches').press('ArrowDown');
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight', 'ArrowRight', 'ArrowRight'])
      await view.locator('.patches').press(key);
    await view.locator('.card', { hasText: '2,3' }).waitFor();
    await view.locator('.patch-box.selected[aria-label="token 20: 2,3, prompt"]').waitFor();
    assert.equal(await view.locator('vscode-text-area').count(), 0, 'a model of images takes no text');
    await lab.screenshot('vision prompt');
  },
);

uiTest(
  'where a patch looks, over the image',
  { folder: workspace('oracles_encoders/vit_folder'), width: 1600, height: 1060 },
  async (lab) => {
    const side = await runOnImage(lab, null);
    await side.getByRole('button', { name: 'Attention', exact: true }).click();
    const view = await lab.webview('attention');
    const strip = view.locator('.strip-scroll');
    await strip.waitFor();
    await strip.focus();
    await strip.press('Home');
    for (let n = 0; n < 20; n++) await strip.press('ArrowRight');
    await view.locator('body').press(']');
    await view.getByRole('heading', { name: /head 1\.0 .* token 20 “2,3”/ }).waitFor();
    const { data, shape } = (await oracleOf('oracles_encoders/vit_folder')).get('attn.1') as {
      data: Float32Array;
      shape: readonly number[];
    };
    const T = shape[1] as number;
    const weight = (key: number) => data[20 * T + key] as number;
    const over = view.locator('.over-image .heatmap-stage');
    await over.waitFor();
    await settled(view);
    await lab.screenshot('vision attention');
    await over.focus();
    await over.press('t');
    const [, ...rows] = await tableCells(view.locator('.over-image table'));
    let compared = 0;
    for (const [name, ...values] of rows)
      for (const [col, text] of values.entries()) {
        const row = Number(name);
        if (!Number.isInteger(row) || !/^[\d.e−-]+$/.test(text)) continue;
        assert.ok(
          Math.abs(numberOf(text) - weight(1 + row * 8 + col)) < 1e-5,
          `${row},${col}: ${text}, reference ${weight(1 + row * 8 + col)}`,
        );
        compared++;
      }
    assert.ok(compared >= 24, `only ${compared} cells could be compared`);
    // behind the query too: an encoder sees everything
    await view.locator('.row-details .bar').first().waitFor();
    const bars = await view.locator('.row-details .bar').allInnerTexts();
    assert.ok(bars.some((bar) => Number.parseInt(bar, 10) > 20));
    for (const bar of bars) {
      const [label = '', value = ''] = bar.split('\n');
      assert.ok(Math.abs(numberOf(value) - weight(Number.parseInt(label, 10))) < 6e-4);
    }
  },
);

uiTest('an image meets texts', { folder: workspace('oracles_encoders/clip_folder'), width: 1500 }, async (lab) => {
  const view = await runOnImage(lab, null);
  // the graph of the tower that saw it, with the values of this run; the other tower has none
  await lab.command('Model Lab: Show Architecture');
  const graph = await lab.webview('architecture');
  await graph.locator('.graph-stage').focus();
  await graph.locator('.graph-stage').press('/');
  const search = graph.getByRole('textbox', { name: 'Search in the graph' });
  await search.fill('attn.pattern');
  await graph.locator('.strip-search [role=status]', { hasText: / of \d/ }).waitFor();
  await search.press('Enter');
  await graph.locator('.graph-side', { hasText: /attn\.pattern 3 × 65 × 65/ }).waitFor({ timeout: 60_000 });
  await lab.screenshot('architecture of a tower');
  const found = await graph.locator('.graph-side .statistics').first().innerText();
  const attention = (await oracleOf('oracles_encoders/clip_folder')).get('vision.attn.0')?.data as Float32Array;
  const last = Array.from({ length: 3 }, (_, h) => Array.from(attention.subarray((h * 65 + 64) * 65, (h * 65 + 65) * 65))).flat();
  const largest = Number(/max\s+([\d.e-]+)/.exec(found.replaceAll('−', '-'))?.[1]);
  assert.ok(Math.abs(largest - Math.max(...last)) < 1e-4, `${found}, reference ${Math.max(...last)}`);
  const logits = (await oracleOf('oracles_encoders/clip_folder')).get('logits_per_image')?.data as Float32Array;
  await view.locator('vscode-text-area textarea').fill(sentences.join('\n'));
  await view.locator('vscode-text-area textarea').press('Control+Enter');
  await view.locator('.outputs .bar').nth(2).waitFor();
  await settled(view);
  const expected = softmax(logits);
  for (const text of await view.locator('.outputs .bar').allInnerTexts()) {
    const [label = '', value = ''] = text.split('\n');
    const probability = (expected[sentences.indexOf(label)] as number) * 100;
    assert.ok(
      Math.abs(numberOf(value) - probability) <= 0.06 * probability + 1e-3,
      `${label}: ${value}, reference ${probability} %`,
    );
  }
  await lab.screenshot('vision matches');
  await view.locator('.outputs .bar').first().click();
  await view.locator('.flow').waitFor();
  await view.getByText('Which image fits').waitFor();
});

uiTest(
  'an image in other themes, narrow and in the middle',
  { folder: workspace('oracles_encoders/vit_folder') },
  async (lab) => {
    const side = await runOnImage(lab, null);
    await side.locator('.patches').focus();
    await side.locator('.patches').press('Home');
    await side.getByRole('button', { name: 'Attention', exact: true }).click();
    const view = await lab.webview('attention');
    await view.locator('.over-image .heatmap-stage').waitFor();
    await looks(lab, view, 'vision', [
      ['light', 900],
      ['hc', 1100],
    ]);
  },
);

/** Vim with a preprocessor beside it. */
function vimWorkspace(): string {
  const folder = workspace('oracles/vim');
  const processor = { image_processor_type: 'ViTImageProcessor', size: { height: 32, width: 32 } };
  writeFileSync(path.join(folder, 'vim/preprocessor_config.json'), JSON.stringify(processor));
  return folder;
}

uiTest('Vim: the state from both sides', { folder: vimWorkspace(), width: 1500, height: 1000 }, async (lab) => {
  const side = await runOnImage(lab, null);
  assert.equal(await side.getByRole('button', { name: 'Attention', exact: true }).count(), 0);
  await side.getByRole('button', { name: 'State', exact: true }).click();
  const view = await lab.webview('state');
  const box = view.locator('vscode-dropdown[aria-label=State]');
  await box.waitFor();
  await box.click();
  await box.locator('vscode-option', { hasText: 'ssm_bwd' }).click();
  await view.getByText('h_{t+1}').first().waitFor();
  await settled(view);
  await lab.screenshot('vision state');
});

uiTest('a text, and what could stand in its places', { folder: workspace('oracles_encoders/bert_folder') }, async (lab) => {
  await lab.showSideBar();
  const view = await lab.webview('prompt');
  const model = view.locator('vscode-dropdown[aria-label=Model]');
  await model.click();
  await model.locator('vscode-option', { hasText: 'bert_folder' }).click();
  await view.locator('.model-state', { hasText: 'loaded' }).waitFor({ timeout: 60_000 });
  const text = view.locator('vscode-text-area textarea');
  await text.fill(sentences[0] as string);
  await text.press('Control+Enter');
  await view.locator('.flow').waitFor();
  await view.locator('.flow').focus();
  for (const key of ['Home', 'ArrowRight', 'ArrowRight']) await view.locator('.flow').press(key);
  await view.locator('.card .alternative').first().waitFor();
  const { data, shape } = (await oracleOf('oracles_encoders/bert_folder')).get('logits') as {
    data: Float32Array;
    shape: readonly number[];
  };
  const V = shape[1] as number;
  const row = softmax(data.slice(2 * V, 3 * V)).sort((a, b) => b - a);
  const first = (await view.locator('.card .alternative').first().innerText()).split('\n').at(-1) as string;
  assert.ok(Math.abs(numberOf(first) - 100 * (row[0] as number)) <= 0.06 * 100 * (row[0] as number));
  assert.equal(await view.getByRole('button', { name: 'KV cache' }).count(), 0, 'an encoder caches nothing');
  await lab.screenshot('vision bert');
});
