import assert from 'node:assert/strict';
import type { Frame } from 'playwright-core';
import { type Theme, tableCells, uiTest } from '../ui.js';
import { oracleOf, promptModel } from './runs.js';

const LAYER = 1;
const HEAD = 3;
const QUERY = 20;

uiTest('the attention map, its rows and its cells show the reference weights', { width: 1600, height: 1000 }, async (lab) => {
  const oracle = await oracleOf('tiny-llama');
  const prompt = await promptModel(lab, 'tiny-llama', oracle.prompt, 0);
  await prompt.getByRole('button', { name: 'Attention' }).click();
  const view = await lab.webview('attention');
  await walkTo(view);
  const { shape, data } = oracle.tensor(`attn.${LAYER}`);
  const count = shape[1] ?? 0;
  const weight = (query: number, key: number) => data[(HEAD * count + query) * count + key] ?? Number.NaN;

  const bars = view.locator('.row-details .bar');
  await bars.first().waitFor();
  await calm(view);
  for (const bar of await bars.allInnerTexts()) {
    const [label = '', value = ''] = bar.split('\n');
    const key = Number.parseInt(label, 10);
    assert.ok(Math.abs(numberOf(value) - weight(QUERY, key)) < 6e-4, `key ${key}: ${value}, reference ${weight(QUERY, key)}`);
  }

  const key = Number.parseInt(await bars.first().innerText(), 10);
  await bars.first().click();
  const softmax = view
    .locator('.formula tr', { has: view.locator('th', { hasText: 'softmax' }) })
    .locator('td')
    .first();
  const shown = numberOf(await softmax.innerText());
  assert.ok(Math.abs(shown - weight(QUERY, key)) < 6e-4 + 5e-3 * weight(QUERY, key), `${shown}, reference ${weight(QUERY, key)}`);
  await calm(view);
  await lab.screenshot('attention cell');

  await view.locator('.heatmap-stage').focus();
  await view.locator('.heatmap-stage').press('t');
  const [header = [], ...rows] = await tableCells(view.locator('.grid-table table').first());
  let compared = 0;
  for (const [name, ...values] of rows) {
    const query = Number.parseInt(name ?? '', 10);
    for (const [i, text] of values.entries()) {
      const column = Number.parseInt(header[i + 1] ?? '', 10);
      if (Number.isNaN(query) || Number.isNaN(column) || column > query || !/^[\d.e−-]+$/.test(text)) continue;
      assert.ok(
        Math.abs(numberOf(text) - weight(query, column)) < 1e-4,
        `${query},${column}: ${text}, reference ${weight(query, column)}`,
      );
      compared++;
    }
  }
  assert.ok(compared > 20, `only ${compared} cells of the table could be compared`);
  await lab.screenshot('attention table');
});

for (const [theme, width] of [
  ['light', 1100],
  ['hc', 800],
] as [Theme, number][]) {
  uiTest(`attention in the ${theme} theme, ${width} pixels wide`, { theme, width, height: 900 }, async (lab) => {
    const { prompt } = await oracleOf('tiny-llama');
    const side = await promptModel(lab, 'tiny-llama', prompt, 16);
    await side.getByRole('button', { name: 'Attention' }).click();
    const view = await lab.webview('attention');
    await walkTo(view);
    await view.locator('.row-details .bar').first().waitFor();
    await calm(view);
    await lab.screenshot(`attention ${theme}`);
  });
}

uiTest('a model without attention says so and offers its state', {}, async (lab) => {
  const side = await promptModel(lab, 'tiny-mamba', 'Once upon a time', 2);
  assert.equal(await side.getByRole('button', { name: 'Attention' }).count(), 0);
  await lab.command('Model Lab: Show Attention');
  const view = await lab.webview('attention');
  await view.getByText('tiny-mamba has no attention').waitFor();
  await view.getByRole('button', { name: 'Show state' }).click();
  await lab.webview('state');
});

/** Waits until nothing on screen belongs to an earlier selection. */
async function calm(view: Frame): Promise<void> {
  await view.page().waitForTimeout(100);
  await view.locator('[aria-busy=true]').first().waitFor({ state: 'detached' });
}

/** A number as views write it. */
const numberOf = (text: string): number => Number(text.replaceAll('−', '-'));

/** By keyboard alone: the token in the strip, then [ ] and { }. */
async function walkTo(view: Frame): Promise<void> {
  const strip = view.locator('.strip-scroll');
  await strip.waitFor({ timeout: 60_000 });
  await strip.focus();
  await strip.press('Home');
  for (let n = 0; n < QUERY; n++) await strip.press('ArrowRight');
  for (let n = 0; n < LAYER; n++) await view.locator('body').press(']');
  for (let n = 0; n < HEAD; n++) await view.locator('body').press('}');
  await view.getByRole('heading', { name: new RegExp(`head ${LAYER}\\.${HEAD} .* token ${QUERY} `) }).waitFor();
}
