import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import type { RunInfo } from '../../../server/protocol/runs.js';
import { embedded, eventually, lab, tabs } from './lab.js';

const command = (id: string, ...args: unknown[]) => vscode.commands.executeCommand(`modelLab.${id}`, ...args);

const models = async () => (await lab()).server.request('models/list', {});
const runs = async () => (await lab()).server.request('runs/list', {});

/** The run that a prompt started. */
async function prompted(prompt: string): Promise<RunInfo> {
  await command('promptModel', { path: embedded('tiny-llama'), prompt });
  const { selection, server } = await lab();
  const run = await server.request('runs/get', { run: selection.value.run ?? '' });
  assert.equal(run.recipe.prompt, prompt);
  return run;
}

/** An editor whose selection is all of `text`. */
async function selected(text: string): Promise<vscode.TextEditor> {
  const document = await vscode.workspace.openTextDocument({ content: text });
  const all = new vscode.Range(document.positionAt(0), document.positionAt(text.length));
  return vscode.window.showTextDocument(document, { selection: all });
}

suite('Commands', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'model-lab-'));

  suiteTeardown(async () => {
    const { server } = await lab();
    for (const { id } of await models()) await server.request('models/close', { model: id });
    await vscode.window.tabGroups.close(tabs());
    rmSync(folder, { recursive: true });
  });

  test('Open Model and Load open a model, Unload closes it', async () => {
    for (const open of ['openModel', 'loadModel']) {
      await command(open, embedded('tiny-llama'));
      assert.deepEqual(
        (await models()).map((model) => model.path),
        [embedded('tiny-llama')],
      );
      await command('unloadModel');
      assert.deepEqual(await models(), []);
    }
  });

  test('Open Model asks which one while another is on screen', async () => {
    await command('inspectPath', embedded('tiny-mamba', 'model.safetensors'));
    const onScreen = () => vscode.window.tabGroups.activeTabGroup.activeTab?.input instanceof vscode.TabInputCustom;
    await eventually(onScreen, 'the file is on screen');
    // A view that takes the focus while it loads closes the list; then ask again.
    await eventually(async () => {
      const opened = command('openModel');
      const held = await Promise.race([opened.then(() => false), new Promise((resolve) => setTimeout(resolve, 1000, true))]);
      await vscode.commands.executeCommand('workbench.action.closeQuickOpen');
      await opened;
      return held;
    }, 'the list stays open');
    assert.deepEqual(await models(), []);
  });

  test('Run in Model Lab opens the model', async () => {
    await command('runPath', vscode.Uri.file(embedded('tiny-llama', 'config.json')));
    assert.deepEqual(
      (await models()).map((model) => model.path),
      [embedded('tiny-llama')],
    );
  });

  test('Inspect opens the header view', async () => {
    await command('inspectPath', embedded('tiny-llama'));
    await eventually(
      () => tabs().some(({ input }) => input instanceof vscode.TabInputCustom && input.uri.fsPath === embedded('tiny-llama')),
      'the folder opened',
    );
  });

  test('Prompt runs the text as it is', async () => {
    const run = await prompted('Anna has');
    assert.equal(run.recipe.path, embedded('tiny-llama'));
    assert.equal(run.recipe.chat, false);
  });

  test('Prompt with Selection runs what is selected, as it is', async () => {
    await selected('Tom has the green key.');
    await command('promptSelection');
    const { recipe } = await eventually(
      async () => (await runs()).find((run) => run.recipe.prompt === 'Tom has the green key.'),
      'the selection ran',
    );
    assert.equal(recipe.chat, false);
  });

  test('Show Tokens of Selection marks them, and without a selection clears them', async () => {
    const text = 'Anna has the red kite.';
    const editor = await selected(text);
    const { server } = await lab();
    const [model] = await models();
    const { pieces } = await server.request('tokens/encode', { model: model?.id ?? '', text, chat: false });
    assert.ok(pieces.length > 1);
    assert.equal(await command('tokensOfSelection'), pieces.length);
    editor.selection = new vscode.Selection(0, 0, 0, 0);
    assert.equal(await command('tokensOfSelection'), 0, 'cleared');
    assert.equal(await command('tokensOfSelection'), undefined, 'nothing to clear, and nothing selected: an error');
  });

  test('Toggle Token Boundaries follows the editor in the vocabulary that is named, until it comes again', async () => {
    await selected('Anna has the red kite.');
    assert.equal(await command('toggleTokenBoundaries', 'gpt2'), 'gpt2');
    assert.equal(await command('toggleTokenBoundaries'), null);
  });

  test('Stop Run ends a run early', async () => {
    const { server } = await lab();
    const sampling = { temperature: 0, topK: null, topP: null, seed: null };
    const recipe = { prompt: 'Once', ids: null, chat: false, maxTokens: 500, sampling, branch: null };
    const run = await server.request('runs/start', { path: embedded('tiny-llama'), ...recipe });
    await command('stopRun', run);
    const ended = await eventually(async () => {
      const now = await server.request('runs/get', { run: run.id });
      return now.status === 'stopped' ? now : null;
    }, 'it stopped');
    assert.ok(ended.tokens < 500, `${ended.tokens} tokens`);
  });

  test('Export Run writes weights and words', async () => {
    await prompted('Anna has the');
    const file = path.join(folder, 'run.safetensors');
    await command('exportRun', { file, probes: ['logits'] });
    const header = readFileSync(file);
    const tensors = JSON.parse(header.subarray(8, 8 + Number(header.readBigUInt64LE())).toString());
    assert.ok('logits' in tensors, Object.keys(tensors).join(' '));
    assert.ok(existsSync(path.join(folder, 'run.json')));
  });

  test('Copy as Command puts it on the clipboard', async () => {
    await prompted('Anna has the red');
    await command('copyCommand');
    const text = await vscode.env.clipboard.readText();
    assert.ok(text.includes('Anna has the red') && text.includes('tiny-llama'), text);
  });

  test('Make Run Active, Inspect Run and Remove Run work on the run they are called on', async () => {
    const [first, second] = [await prompted('One'), await prompted('Two')];
    const { selection } = await lab();
    assert.equal(selection.value.run, second.id);
    await command('selectRun', first);
    assert.equal(selection.value.run, first.id);
    await command('inspectRun', second);
    assert.equal(selection.value.run, second.id);
    await eventually(
      () => tabs().some(({ input }) => input instanceof vscode.TabInputWebview && input.viewType.endsWith('modelLab.attention')),
      'its attention is shown',
    );
    await command('removeRun', first);
    assert.deepEqual(
      (await runs()).filter(({ id }) => id === first.id || id === second.id).map(({ id }) => id),
      [second.id],
    );
  });

  test('Prompt All Embedded Models runs one prompt on each', async () => {
    await command('promptEmbedded', { prompt: 'Side by side' });
    const together = (await runs()).filter(({ recipe }) => recipe.prompt === 'Side by side');
    assert.deepEqual(together.map(({ recipe }) => path.basename(recipe.path)).sort(), ['tiny-llama', 'tiny-mamba', 'tiny-rwkv7']);
  });

  test('Doctor reports its checks', async () => {
    const report = await command('doctor');
    assert.match(String(report), /## All checks[\s\S]*\| Server \| OK \|/);
  });

  test('Open Sample Code shows code that the lab explains', async () => {
    await command('openSample');
    assert.equal(path.basename(vscode.window.activeTextEditor?.document.fileName ?? ''), 'inspect_model.py');
  });

  test('Open Example runs 你好 and shows its way through the graph', async () => {
    await command('openExample');
    const { selection, server } = await lab();
    const run = await server.request('runs/get', { run: selection.value.run ?? '' });
    assert.equal(path.basename(run.recipe.path), 'tiny-chatglm3');
    assert.equal(run.recipe.prompt, '你好');
    assert.equal(selection.value.token, 3);
    await eventually(() => tabs().some(({ label }) => label.includes('Architecture')), 'the architecture view opened');
  });

  test('Open Walkthrough opens a tab', async () => {
    await vscode.window.tabGroups.close(tabs());
    await command('openWalkthrough');
    await eventually(() => tabs().length > 0, 'the walkthrough opened');
  });
});
