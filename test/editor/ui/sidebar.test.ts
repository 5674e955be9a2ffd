import assert from 'node:assert/strict';
import path from 'node:path';
import { root } from '../codeServer.js';
import { eventually, uiTest, type Workbench } from '../ui.js';
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
  await eventually(async () => assert.equal((await status.innerText()).trim(), 'Model Lab'));

  await promptModel(lab, 'tiny-llama', 'Once upon a time', 2);
  await status.getByText('tiny-llama').waitFor();
  const view = await promptModel(lab, 'tiny-rwkv7', 'The river was', 2);
  const runs = lab.treeRows('Runs');
  const active = (title: string) => lab.page.locator(`.sidebar .monaco-list-row[aria-label^="active run, ${title}"]`).waitFor();
  await active('The river was');
  await status.getByText('tiny-rwkv7').waitFor();
  await eventually(async () => assert.equal(await runs.count(), 2));
  await runs.filter({ hasText: 'Once upon a time' }).click();
  await active('Once upon a time');
  await status.getByText('tiny-llama').waitFor();
  await view.locator('[data-token="0"]', { hasText: 'Once' }).waitFor();
  // its tokens are not those of the model in the box, until its prompt is taken up
  await view.getByText('Tokens of tiny-llama').waitFor();
  await lab.screenshot('sidebar runs');
  await view.getByRole('button', { name: 'Take up its prompt' }).click();
  await view.getByText('Tokens of tiny-llama').waitFor({ state: 'detached' });
  const box = view.locator('vscode-text-area textarea');
  await eventually(async () => assert.equal(await box.inputValue(), 'Once upon a time'));
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
    await inAnyFrame(lab, 'What can be opened');
    await lab.page.locator('.step-title', { hasText: 'Prompt it' }).click();
    await inAnyFrame(lab, '0 to 12 bits');
    await lab.screenshot('walkthrough');
  },
);

/** Waits for a text in the pages of the workbench that are not ours: the pictures of a walkthrough come after their frame. */
const inAnyFrame = (lab: Workbench, text: string): Promise<void> =>
  eventually(async () => {
    const seen = await Promise.all(
      lab.page.frames().map((frame) =>
        frame
          .getByText(text)
          .count()
          .catch(() => 0),
      ),
    );
    assert.ok(
      seen.some((count) => count > 0),
      `nothing says ${text}`,
    );
  });
