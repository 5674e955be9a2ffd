import assert from 'node:assert/strict';
import type { Frame } from 'playwright-core';
import { eventually, uiTest } from '../ui.js';
import { oracleOf, probabilities, promptModel, surprisals } from './runs.js';

const NEW = 6;
const MODELS = ['tiny-llama', 'tiny-mamba', 'tiny-rwkv7'];

uiTest('prompting each embedded model shows the tokens, loss and probabilities of its reference', {}, async (lab) => {
  for (const model of MODELS) {
    const oracle = await oracleOf(model);
    const view = await promptModel(lab, model, oracle.prompt, NEW);
    const count = oracle.ids.length;
    await eventually(async () => assert.equal(await view.locator('.flow .token').count(), count + NEW));

    const nats = surprisals(oracle).reduce((sum, bits) => sum + bits * Math.LN2, 0) / (count - 1);
    await eventually(async () => {
      const counters = await view.locator('.counters').innerText();
      assert.ok(Math.abs(Number(counters.match(/loss ([\d.]+)/)?.[1]) - nats) < 0.0051, `${counters}; reference ${nats}`);
    });

    const greedy = oracle.tensor('greedy.ids').data;
    for (let n = 0; n < NEW; n++) assert.equal(await tokenId(view, count + n), greedy[n], `generated token ${n}`);

    const at = Math.floor(count / 2);
    assert.equal(await tokenId(view, at), oracle.ids[at]);
    const expected = probabilities(oracle.tensor('logits'), at - 1).sort((a, b) => b - a);
    const shown = await view.locator('.alternative .share').allInnerTexts();
    for (let rank = 0; rank < 8; rank++) {
      const percentage = Number(shown[rank]?.replace(/[^\d.]/g, ''));
      const wanted = 100 * (expected[rank] ?? 0);
      assert.ok(
        Math.abs(percentage - wanted) <= 0.5 + 1e-6 || wanted < 0.1,
        `rank ${rank}: ${shown[rank]}, reference ${wanted} %`,
      );
    }
    await lab.screenshot(`prompt ${model}`);
  }
});

uiTest('an alternative branches a run from the keyboard', { theme: 'light' }, async (lab) => {
  const oracle = await oracleOf('tiny-llama');
  const view = await promptModel(lab, 'tiny-llama', oracle.prompt, NEW);
  const at = oracle.ids.length + 2;
  const before = await tokenId(view, at);
  await view.locator('.flow').press('Enter');
  await view.locator('.alternative').first().press('ArrowDown');
  const chosen = await view.locator('.alternative:focus code').innerText();
  await view.locator('.alternative:focus').press('Enter');
  await view.locator('.run.chosen .codicon-git-branch').waitFor({ state: 'attached' });
  await view.getByRole('button', { name: 'Run', exact: true }).waitFor();
  await eventually(async () => assert.equal(await view.locator(`[data-token="${at}"]`).innerText(), chosen));
  assert.notEqual(await tokenId(view, at), before);
  assert.equal(await tokenId(view, at - 1), oracle.tensor('greedy.ids').data[1]);
  await lab.screenshot('prompt branched light');
});

uiTest('in high contrast, the view without a run says what it is for', { theme: 'hc' }, async (lab) => {
  await lab.showSideBar();
  const view = await lab.webview('prompt');
  await view.getByRole('button', { name: 'Try an example' }).click();
  await view.locator('.by-generated').first().waitFor({ timeout: 60_000 });
  await lab.screenshot('prompt high contrast');
});

/** Selects a token and reads its id off the card. */
async function tokenId(view: Frame, token: number): Promise<number> {
  await view.locator(`[data-token="${token}"]`).click();
  await view.locator('.card-head', { hasText: `token ${token} ` }).waitFor();
  return Number(
    await view
      .locator('.facts div', { has: view.locator('dt', { hasText: /^id$/ }) })
      .locator('dd')
      .innerText(),
  );
}
