import assert from 'node:assert/strict';
import { eventually, uiTest } from '../ui.js';
import { type Oracle, oracleOf, probabilities, promptModel, surprisals } from './runs.js';

const MODELS = ['tiny-llama', 'tiny-mamba', 'tiny-rwkv7'];

uiTest('one prompt on all embedded models, with the losses of the references', { width: 1600 }, async (lab) => {
  const oracles = await Promise.all(MODELS.map(oracleOf));
  const [first] = oracles;
  assert.ok(first);
  const side = await promptModel(lab, 'tiny-llama', first.prompt, 8);
  await side.getByRole('button', { name: 'Prompt all' }).click();
  const view = await lab.webview('compare');
  for (const [n, model] of MODELS.entries()) {
    const column = view.locator('.column', { has: view.locator('h2', { hasText: model }) });
    await column.locator('.by-generated').nth(7).waitFor({ timeout: 60_000 });
    const oracle = oracles[n];
    assert.ok(oracle);
    assert.equal(oracle.prompt, first.prompt, 'the references share their prompt');
    const bytes = oracle.ids.slice(1).reduce((sum, id) => sum + oracle.bytes(id), 0);
    const expected = surprisals(oracle).reduce((sum, bits) => sum + bits, 0) / bytes;
    await eventually(async () => {
      const shown = Number.parseFloat(await column.locator('.figure dd').first().innerText());
      assert.ok(Math.abs(shown - expected) < 6e-4, `${model}: ${shown} bits/byte, reference ${expected}`);
    });
  }
  const grows = await view
    .locator('.figure', { has: view.locator('dt', { hasText: 'grows' }) })
    .locator('dd')
    .allInnerTexts();
  assert.match(grows[0] ?? '', /a token$/);
  assert.deepEqual(grows.slice(1), ['not at all', 'not at all']);
  // a token that is selected in one column is marked and read in the others: here all cut the text alike
  const columns = view.locator('.column');
  await columns.first().locator('[data-token="5"]').click();
  await lab.page.mouse.move(0, 0);
  for (const n of [1, 2]) {
    const column = columns.nth(n);
    await column.locator('[data-token="5"].hovered').waitFor();
    const { tensor, ids } = oracles[n] as Oracle;
    const p = 100 * (probabilities(tensor('logits'), 4)[ids[5] as number] as number);
    const shown = Number((await column.locator('.reading').innerText()).match(/ p ([\d.e-]+) %/)?.[1]);
    assert.ok(Math.abs(shown - p) <= 0.06 * p, `${shown} %, reference ${p} %`);
  }
  const title = await view.locator('.frame-title').innerText();
  const [, start = ''] = /^“(.+)…” on 3 models$/.exec(title) ?? [];
  assert.ok(start && first.prompt.startsWith(start), title);
  await lab.screenshot('compare');
});
