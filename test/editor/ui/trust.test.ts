import assert from 'node:assert/strict';
import path from 'node:path';
import { openCheckpoint } from '../../../server/formats/registry.js';
import { root } from '../codeServer.js';
import { uiTest } from '../ui.js';
import { promptModel } from './runs.js';

const folder = path.join(root, 'media/models/tiny-llama');
const settings = {
  'security.workspace.trust.enabled': true,
  'security.workspace.trust.startupPrompt': 'never',
  'security.workspace.trust.banner': 'never',
  'workbench.editor.useModal': 'off',
};

uiTest('without trust, headers open, models do not run and nothing comes back by itself', { folder, settings }, async (lab) => {
  const restricted = lab.page.locator('.statusbar-item', { hasText: 'Restricted Mode' });
  const status = lab.page.locator('.statusbar-item[id*="modelLab.status"]');
  await restricted.waitFor();
  await lab.openFile('model.safetensors');
  const header = await lab.webview('checkpoint');
  const { tensors } = await openCheckpoint(folder);
  await header.getByRole('tab', { name: `Tensors ${tensors.size}` }).waitFor();
  await header.getByRole('button', { name: 'Run in Model Lab' }).click();
  const refusal = header.getByRole('alert');
  await refusal.getByText('WORKSPACE_UNTRUSTED').waitFor();
  assert.match(await refusal.innerText(), /Models run only in a trusted workspace\./);
  await lab.screenshot('trust refused');

  await lab.command('Workspaces: Manage Workspace Trust');
  const trust = lab.page.locator('.workspace-trust-editor');
  await trust.locator('.monaco-button', { hasText: /^Trust$/ }).click();
  await restricted.waitFor({ state: 'detached' });
  await promptModel(lab, 'tiny-llama', 'Once upon a time', 2);
  await lab.command('Model Lab: Show Attention');
  await (await lab.webview('attention')).getByRole('main').waitFor();
  await status.getByText('tiny-llama').waitFor();

  // The extension starts again with the inspector still there, which in a trusted workspace would bring back the run.
  await lab.command('Workspaces: Manage Workspace Trust');
  await trust.locator('.monaco-list-row', { hasText: 'tiny-llama' }).hover();
  await trust.locator('.monaco-list-row', { hasText: 'tiny-llama' }).getByLabel('Delete Path').click();
  await restricted.waitFor();
  await lab.showSideBar();
  await lab.treeRows('Models').getByText('tiny-mamba').waitFor();
  await lab.page.waitForTimeout(3000);
  await lab.screenshot('trust withdrawn');
  assert.doesNotMatch(await status.innerText(), /tiny-llama/);
  assert.equal(await lab.page.locator('.sidebar .monaco-list-row[aria-label*=", open,"]').count(), 0);
});
