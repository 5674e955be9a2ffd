/** A model on a hub of our own: looked at, downloaded with a break, cancelled, opened; and what is not for everybody. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import type { Frame } from 'playwright-core';
import { openCheckpoint } from '../../../server/formats/registry.js';
import { parameterCount } from '../../../server/runtime/model.js';
import { COMMIT, TestHub, TOKEN } from '../../hub/server.js';
import { root } from '../codeServer.js';
import { uiTest, type Workbench } from '../ui.js';

const llama = path.join(root, 'media/models/tiny-llama');
const files = Object.fromEntries(readdirSync(llama).map((name) => [name, readFileSync(path.join(llama, name))]));
const gguf = (type: string) => readFileSync(path.join(root, `test/fixtures/oracles/gguf_llama_${type}/model.gguf`));
const hub = new TestHub({
  'lab/tiny-llama': { files },
  'lab/tiny-gated': { files, access: 'gated' },
  'lab/tiny-llama-GGUF': {
    files: { 'tiny-llama-F16.gguf': gguf('f16'), 'tiny-llama-Q8_0.gguf': gguf('q8_0'), 'tiny-llama-Q4_0.gguf': gguf('q4_0') },
  },
});
await hub.start();
const cache = mkdtempSync(path.join(os.tmpdir(), 'model-lab-hub-ui-'));
const settings = { 'modelLab.huggingFace.endpoint': hub.url, 'modelLab.huggingFace.cache': cache };
after(() => {
  hub.stop();
  rmSync(cache, { recursive: true, force: true });
});

async function look(lab: Workbench, model: string): Promise<Frame> {
  await lab.command('Model Lab: Open from Hugging Face…');
  const view = await lab.webview('hub');
  const field = view.locator('vscode-text-field input').first();
  await field.fill(model);
  await field.press('Enter');
  return view;
}

uiTest(
  'a model on the Hub: its header, a download that breaks and is cancelled, then opened',
  { settings, width: 1400, height: 950 },
  async (lab) => {
    const view = await look(lab, `${hub.url}/lab/tiny-llama`);
    const checkpoint = await openCheckpoint(llama);
    await view.getByRole('tab', { name: `Tensors ${checkpoint.tensors.size}` }).waitFor();
    const facts = await view.locator('.statistics').first().innerText();
    assert.match(
      facts.replaceAll('\n', ' '),
      new RegExp(`architecture\\s+llama[\\s\\S]*parameters\\s+${parameterCount(checkpoint).toLocaleString('en')}`),
    );
    await view.locator('.hub-facts', { hasText: /Runs here: it takes [\d.]+ MB/ }).waitFor();
    await view.locator('.hub-facts', { hasText: `main is ${COMMIT.slice(0, 7)}` }).waitFor();
    await view.getByRole('treeitem', { name: /^embed_tokens/ }).click();
    await view.locator('.tensor-detail .heatmap-stage').waitFor();
    await view.page().waitForTimeout(500);
    assert.deepEqual(readdirSync(cache), [], 'nothing is downloaded to look');
    await lab.screenshot('hub');

    hub.misbehave.slow = 1_500_000;
    await view.locator('vscode-button', { hasText: /^\s*Download/ }).click();
    await view.locator('.fetch', { hasText: /of [\d.]+ MB/ }).waitFor();
    await view.locator('.fetch', { hasText: /kB\/s|MB\/s/ }).waitFor();
    await lab.screenshot('hub download');
    await view.getByRole('button', { name: 'Cancel' }).click();
    await view.getByText('What has arrived is kept').waitFor();
    const repo = path.join(cache, 'models--lab--tiny-llama');
    assert.ok(!readdirSync(repo).includes('snapshots'));
    await view.locator('.variant', { hasText: /here/ }).waitFor();

    hub.misbehave.slow = 0;
    hub.misbehave.drop = { after: 500_000, times: 2 };
    await view.locator('vscode-button', { hasText: /^\s*Download/ }).click();
    await view.locator('vscode-button', { hasText: 'Run in Model Lab' }).waitFor();
    const snapshot = path.join(repo, 'snapshots', COMMIT);
    assert.deepEqual(readFileSync(path.join(snapshot, 'model.safetensors')), files['model.safetensors']);
    await lab.showSideBar();
    await lab.treeRows('Models').filter({ hasText: 'lab/tiny-llama' }).waitFor();
    await view.locator('vscode-button', { hasText: 'Run in Model Lab' }).click();
    const prompt = await lab.webview('prompt');
    await prompt.locator('.model-state', { hasText: /^\s*loaded/ }).waitFor();
    await lab.screenshot('hub opened');
  },
);

uiTest(
  'quantisations to choose from, and a model that wants a token',
  { settings, theme: 'light', width: 1300, height: 900 },
  async (lab) => {
    const view = await look(lab, 'lab/tiny-llama-GGUF');
    await view.locator('.variant').nth(2).waitFor();
    // what is typed meanwhile was not looked at yet
    await view.locator('vscode-text-field input').first().fill('lab/another');
    await view.locator('.variant', { hasText: 'Q4_0' }).locator('input').check();
    await view.locator('.statistics', { hasText: /Q4_0 [\d.]+ kB/ }).waitFor();
    await lab.screenshot('hub quantisations');

    await look(lab, 'lab/tiny-gated');
    await view.locator('.failed', { hasText: 'HUB_GATED' }).waitFor();
    await lab.screenshot('hub gated');
    await view.getByRole('button', { name: 'Set a Hugging Face token…' }).click();
    await lab.answer(TOKEN);
    await view.locator('.hub-facts', { hasText: 'with your token' }).waitFor();
    assert.match(await view.locator('.hub-facts').first().innerText(), /gated/);
    await lab.command('Model Lab: Clear Hugging Face Token');
    await look(lab, 'lab/tiny-gated');
    await view.locator('.failed', { hasText: 'HUB_GATED' }).waitFor();

    // as narrow as a panel at the side
    await look(lab, 'lab/tiny-llama-GGUF');
    await view.locator('.variant').nth(2).waitFor();
    await lab.command('View: Close Primary Side Bar');
    await lab.page.setViewportSize({ width: 376, height: 900 });
    await view.waitForFunction(() => innerWidth < 340);
    const { scrollWidth, clientWidth } = await view.evaluate(() => document.documentElement);
    assert.equal(scrollWidth, clientWidth, 'nothing is cut off at the side');
    const facts = await view.locator('.variant').nth(2).innerText();
    assert.match(facts.replaceAll('\n', ' '), /Q4_0 · tiny-llama-Q4_0\.gguf\s+53\.7 kB\s+1 file/);
    await lab.screenshot('hub narrow');
  },
);
