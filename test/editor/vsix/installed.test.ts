import assert from 'node:assert/strict';
import { oracleOf, promptModel } from '../ui/runs.js';
import { uiTest } from '../ui.js';

// What a package can lack: the native module, the embedded models, a chunk of the server or of a view.
uiTest('the installed package runs an embedded model and shows it', { open: 'README.md' }, async (lab) => {
  const { prompt, ids } = await oracleOf('tiny-llama');
  const tokens = (await promptModel(lab, 'tiny-llama', prompt)).locator('.flow .token');
  assert.equal(await tokens.count(), ids.length + 4);
  for (const [title, view] of [
    ['Attention', 'attention'],
    ['KV Cache', 'cache'],
  ] as const) {
    await lab.command(`Model Lab: Show ${title}`);
    await (await lab.webview(view)).locator('canvas').first().waitFor();
  }
  assert.deepEqual(await lab.toasts(), []);
  await lab.screenshot('installed');
});
