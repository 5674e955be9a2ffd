import assert from 'node:assert/strict';
import path from 'node:path';
import type { Frame } from 'playwright-core';
import { predictFit } from '../../../server/analyses/fit.js';
import { presets } from '../../../server/analyses/machines.js';
import { openCheckpoint } from '../../../server/formats/registry.js';
import { root } from '../codeServer.js';
import { eventually, settled, tableCells, uiTest, type Workbench } from '../ui.js';
import { promptModel } from './runs.js';

const parsed = (text: string | undefined): number => Number((text ?? '').replaceAll('−', '-').replaceAll(/[^\d.e-]/g, ''));

async function runsHere(lab: Workbench, model: string): Promise<Frame> {
  await promptModel(lab, model, 'Once upon a time', 2);
  await lab.command('Model Lab: Will It Run Here?');
  const view = await lab.webview('weights');
  await view.getByRole('heading', { name: `${model}:` }).waitFor();
  await view.getByText(/^Runs here: needs/).waitFor({ timeout: 60_000 });
  return view;
}

uiTest('whether a model runs here: predicted, measured, and on another machine', { width: 1500, height: 1000 }, async (lab) => {
  const view = await runsHere(lab, 'tiny-llama');
  await view.getByRole('button', { name: 'Measure each part' }).click();
  const answer = view.locator('.fit-answer');
  await view.getByText(/tokens\/s predicted, .* measured/).waitFor({ timeout: 120_000 });
  assert.match(
    await answer.innerText(),
    /^Runs here: needs [\d.]+ MB of [\d.]+ GB free; about [\d.,]+ tokens\/s predicted, [\d.,]+ measured\.$/,
  );
  // a point for each part in each kind of call, every one of them measured
  await view.locator('.roofline .chart-stage').focus();
  await view.locator('.roofline .chart-stage').press('Home');
  await view.locator('.roofline-reading', { hasText: /FLOP\/byte, predicted .* ms, measured .* ms \(prediction/ }).waitFor();
  await lab.screenshot('runs here');
  await view.locator('.roofline .chart-stage').press('t');
  const [, ...rows] = (await tableCells(view.locator('.roofline .grid-table table'))).filter((row) => row.length > 5);
  assert.ok(rows.length >= 12, `${rows.length} rows`);
  for (const row of rows) assert.ok(parsed(row[6]) > 0, row.join(' | '));
  await view.locator('.roofline .grid-table table').press('Escape');

  // Another dtype: a click on its row, and what it takes on this machine by the prediction itself.
  const dtypes = view.getByRole('table', { name: 'What each dtype takes' });
  await dtypes.getByRole('button', { name: 'int4' }).click();
  await view.getByText(/F16 as int4/).waitFor({ timeout: 60_000 });
  await view.getByRole('button', { name: 'Measure each part' }).click();
  await view.getByText(/tokens\/s predicted, .* measured/).waitFor({ timeout: 120_000 });
  await lab.screenshot('runs here int4');

  // On a machine by its data sheet: the numbers of the prediction, by the book.
  const machine = presets.find(({ id }) => id === 'h100');
  assert.ok(machine);
  const box = view.locator('vscode-dropdown[aria-label=Machine]');
  await box.click();
  await box.locator('vscode-option', { hasText: machine.name }).click();
  await view.getByText(`Runs on ${machine.name}`).waitFor({ timeout: 60_000 });
  const checkpoint = await openCheckpoint(path.join(root, 'media/models/tiny-llama'));
  const expected = await predictFit(checkpoint, { tokens: 2048, batch: 1, dtype: 'int4', machine, free: 0 });
  assert.ok(expected.decode);
  const [, , decode = []] = await tableCells(view.getByRole('table', { name: 'Cost of prefill and decoding' }));
  const [, ...rows4] = await tableCells(dtypes);
  for (const [i, { dtype, weights, decode: seconds }] of expected.choices.entries()) {
    const [name, held, , , , speed] = rows4[i] ?? [];
    assert.equal(name, dtype);
    assert.ok(Math.abs(parsed(held) * 1e6 - weights) < 0.01 * weights, `${rows4[i]?.join(' | ')}`);
    assert.ok(Math.abs(parsed(speed) * (seconds ?? 0) - 1) < 0.02, `${rows4[i]?.join(' | ')}`);
  }
  const perToken = parsed(decode[3]) * 1e6;
  assert.ok(Math.abs(perToken - expected.decode.bytes) < 0.01 * expected.decode.bytes, `${decode.join(' | ')}`);
  const speed = 1 / (expected.decode.seconds ?? 0);
  assert.ok(Math.abs(parsed(decode[4]) - speed) < 0.01 * speed, `${decode[4]} instead of ${speed}`);
});

uiTest('whether other models run here, in other themes, in the middle and narrow', { height: 950 }, async (lab) => {
  await lab.show('light', 1000, 950);
  const first = await runsHere(lab, 'tiny-mamba');
  await first.locator('.roofline canvas').waitFor();
  await settled(first);
  await lab.screenshot('runs here light');
  // the view goes with the run
  await lab.show('hc', 560, 950);
  await promptModel(lab, 'tiny-rwkv7', 'Once upon a time', 2);
  await first.getByRole('heading', { name: 'tiny-rwkv7:' }).waitFor();
  await first.locator('.roofline canvas').waitFor();
  await settled(first);
  await lab.screenshot('runs here hc');
  // of another model than the one on screen, from its menu
  await lab.treeRows('Models').filter({ hasText: 'tiny-llama' }).click({ button: 'right' });
  await lab.pickFromMenu('Will It Run Here?');
  // in a page of its own, which takes the place of the one before
  const view = await eventually(async () => {
    const other = await lab.webview('weights');
    await other.getByRole('heading', { name: 'tiny-llama:' }).waitFor({ timeout: 2000 });
    return other;
  });
  await view.getByText(/^Runs here: needs/).waitFor();
  // as narrow as a panel at the side: no table scrolls sideways
  await lab.command('View: Close Primary Side Bar');
  await lab.page.setViewportSize({ width: 376, height: 950 });
  await view.waitForFunction(() => innerWidth < 340);
  const tables = view.locator('.fit-tables > div');
  await eventually(async () => {
    const widths = await tables.evaluateAll((boxes) => boxes.map(({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth]));
    assert.equal(widths.length, 2);
    for (const [all, seen] of widths) assert.equal(all, seen);
  });
  await settled(view);
  await lab.screenshot('runs here narrow');
});
