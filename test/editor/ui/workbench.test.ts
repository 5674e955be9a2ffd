import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../codeServer.js';
import { eventually, uiTest } from '../ui.js';

const { contributes } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

uiTest('the workbench shows Model Lab, and the palette its commands', { open: 'README.md' }, async (lab) => {
  await lab.showSideBar();
  const views = contributes.views[contributes.viewsContainers.activitybar[0].id].map(({ name }: { name: string }) => name);
  for (const name of views) await lab.page.locator('.sidebar .pane-header', { hasText: name }).waitFor();
  // said once the server has been asked, and not before
  await lab.page.locator('.sidebar .pane', { hasText: 'Nothing has run yet' }).waitFor();
  await lab.screenshot('workbench');

  const conditional = new Set((contributes.menus.commandPalette as { command: string }[]).map(({ command }) => command));
  const titles = (contributes.commands as { command: string; title: string }[])
    .filter(({ command }) => !conditional.has(command))
    .map(({ title }) => `Model Lab: ${title}`);
  // A list that changes while it is walked may hide a row from the walk.
  const listed = new Set<string>();
  await eventually(async () => {
    for (const title of await lab.commands('Model Lab: ')) listed.add(title);
    assert.deepEqual(
      titles.filter((title) => !listed.has(title)),
      [],
    );
  });
});
