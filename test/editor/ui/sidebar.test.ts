import assert from 'node:assert/strict';
import path from 'node:path';
import { root } from '../codeServer.js';
import { uiTest } from '../ui.js';
import { promptModel } from './runs.js';

uiTest('the trees load, unload and follow; the status bar names the model', {}, async (lab) => {
  const status = lab.page.locator('.statusbar-item[id*="modelLab.status"]');
  const row = lab.treeRows('Models').filter({ hasText: 'tiny-mamba' });
  await lab.showSideBar();
  await row.hover();
  await row.getByRole('button', { name: 'Load Model' }).click();
  await lab.page.locator('.sidebar .monaco-list-row[aria-label^="tiny-mamba, open,"]').waitFor();
  await row.hover();
  await lab.screenshot('sidebar loaded');
  await row.getByRole('button', { name: 'Unload Model' }).click();
  await lab.page.locator('.sidebar .monaco-list-row[aria-label^="tiny-mamba, not loaded,"]').waitFor();
  assert.equal((await status.innerText()).trim(), 'Model Lab');

  await promptModel(lab, 'tiny-llama', 'Once upon a time', 2);
  await status.getByText('tiny-llama').waitFor();
  const view = await promptModel(lab, 'tiny-rwkv7', 'The river was', 2);
  const runs = lab.treeRows('Runs');
  const active = (title: string) => lab.page.locator(`.sidebar .monaco-list-row[aria-label^="active run, ${title}"]`).waitFor();
  await active('The river was');
  await status.getByText('tiny-rwkv7').waitFor();
  assert.equal(await runs.count(), 2);
  await runs.filter({ hasText: 'Once upon a time' }).click();
  await active('Once upon a time');
  await status.getByText('tiny-llama').waitFor();
  await view.locator('[data-token="0"]', { hasText: 'Once' }).waitFor();
  await lab.screenshot('sidebar runs');
});

uiTest(
  "a folder's menu in the Explorer runs the model in it; the walkthrough opens",
  { folder: path.join(root, 'media/models') },
  async (lab) => {
    await lab.page.locator('.explorer-folders-view .monaco-list-row', { hasText: 'tiny-mamba' }).click({ button: 'right' });
    await lab.page.locator('.monaco-menu').getByRole('menuitem', { name: 'Model Lab' }).click();
    await lab.pickFromMenu('Run in Model Lab');
    const prompt = await lab.webview('prompt');
    await prompt.locator('.model-state', { hasText: /^\s*loaded/ }).waitFor();
    await lab.page.locator('.statusbar-item[id*="modelLab.status"]', { hasText: 'tiny-mamba' }).waitFor();
    await lab.screenshot('explorer run');

    await lab.command('Model Lab: Open Walkthrough');
    await lab.page.locator('.gettingStartedContainer', { hasText: 'Get started with Model Lab' }).waitFor();
    await lab.page.locator('.getting-started-media iframe, .getting-started-media img').first().waitFor();
    await lab.screenshot('walkthrough');
  },
);
