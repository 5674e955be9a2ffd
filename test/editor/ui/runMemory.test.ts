import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Frame } from 'playwright-core';
import { openCheckpoint } from '../../../server/formats/registry.js';
import { createTokenizer } from '../../../server/tokenizer/registry.js';
import { readOracle } from '../../fixtures/readOracle.js';
import { root } from '../codeServer.js';
import { eventually, settled, tableCells, uiTest, type Workbench } from '../ui.js';
import { oracleOf, promptModel } from './runs.js';

const MODEL = path.join(root, 'media/models/tiny-llama');
const LAYER = 1;
const TOKEN = 20;

/** Ids of a text by the tokenizer itself. */
async function idsOf(text: string): Promise<number[]> {
  const { tokenizer } = await openCheckpoint(MODEL);
  if (!tokenizer) throw new Error('tiny-llama has no tokenizer');
  return (await createTokenizer(tokenizer)).encode(text).map(({ id }) => id);
}

const result = (view: Frame) => view.locator('.result');
const runRow = (view: Frame, title: string) => view.locator('.runs .run', { hasText: title });

uiTest(
  'a run says what it took over; one whose memory went is run again when somebody looks',
  { settings: { 'modelLab.memory.runs': 0.001 }, width: 1500, height: 1000 },
  async (lab) => {
    const oracle = await oracleOf('tiny-llama');
    const first = oracle.prompt.repeat(60);
    const view = await promptModel(lab, 'tiny-llama', first, 0);
    assert.doesNotMatch(await result(view).innerText(), /reused|freed/);

    // the ids that both begin with, counted without the lab
    const other = `${first} and went home.`;
    const [mine, theirs] = [await idsOf(first), await idsOf(other)];
    const shared = mine.findIndex((id, t) => theirs[t] !== id);
    const reused = (shared < 0 ? mine.length : shared).toLocaleString('en');
    await promptModel(lab, 'tiny-llama', other, 0);
    await result(view)
      .getByText(`reused ${reused} of ${theirs.length.toLocaleString('en')} tokens`)
      .waitFor();
    await lab.screenshot('prompt reused');

    await promptModel(lab, 'tiny-llama', 'Tom had a blue ball.', 0);
    await view.locator('.runs summary').click();
    // both runs before are beyond the budget of 1 MB, the one on screen is not
    await runRow(view, 'freed').nth(1).waitFor();
    assert.equal(await runRow(view, 'freed').count(), 2);
    await lab.screenshot('runs freed');

    await runRow(view, 'Once upon').last().locator('.run-name').click();
    await result(view).getByText('memory freed').waitFor();
    await lookAgain(lab, first);
    await runRow(view, 'Tom had').getByText('freed').waitFor();
    await eventually(async () => assert.doesNotMatch(await result(view).innerText(), /freed/));
    await lab.screenshot('run computed again');
  },
);

/** Opens the cache of the dropped run: its rows are there, and are the reference's. */
async function lookAgain(lab: Workbench, prompt: string): Promise<void> {
  const oracle = await oracleOf('tiny-llama');
  await lab.command('Model Lab: Show KV Cache');
  const view = await lab.webview('cache');
  const strip = view.locator('.strip-scroll');
  await strip.waitFor();
  await strip.focus();
  await strip.press('Home');
  for (let n = 0; n < TOKEN; n++) await strip.press('ArrowRight');
  await strip.press(']');
  const count = (await idsOf(prompt)).length;
  await view
    .getByRole('heading', { name: `What layer ${LAYER} of tiny-llama keeps after ${count.toLocaleString('en')} tokens` })
    .waitFor();
  await view.locator('.provenance', { hasText: `blocks.${LAYER}.state` }).waitFor();
  await settled(view);
  const slice = view.locator('.slice .chart-stage').first();
  await slice.focus();
  await slice.press('t');
  const cells = (await tableCells(view.locator('.slice .grid-table table'))).slice(1);
  // what is before a token does not know what comes after it
  const k = oracle.tensor(`kv.${LAYER}.k`);
  const size = k.shape[2] ?? 0;
  const shown = cells.flatMap(([name, value]) => (name ? [Number((value ?? '').replaceAll('−', '-'))] : []));
  assert.ok(shown.length > 10, `only ${shown.length} values in the table`);
  for (const [i, value] of shown.entries()) {
    const reference = k.data[TOKEN * size + i] ?? Number.NaN;
    assert.ok(Math.abs(value - reference) < 2e-3 + 1e-3 * Math.abs(reference), `k[${i}] = ${value}, reference ${reference}`);
  }
}

uiTest(
  'a run in int4 measures how far it is from fp32; a long prompt tells how far it is read, and stops',
  { settings: { 'modelLab.dtype': 'int4' }, theme: 'light', width: 1200, height: 900 },
  async (lab) => {
    const { prompt, ids } = await oracleOf('tiny-llama');
    const view = await promptModel(lab, 'tiny-llama', prompt, 0);
    await lab.screenshot('prompt int4');
    await result(view).getByRole('button', { name: 'Measure KL to fp32' }).click();
    const note = view.locator('.to-exact');
    await note.waitFor();
    const [, mean, agreement] = (await note.innerText()).match(/KL to fp32 (\S+) nats a token, same top token (\d+) %/) ?? [];
    const told = await klByCommandLine(ids);
    // shown with two digits
    assert.ok(Math.abs(Number(mean) - told.mean) <= 0.06 * told.mean, `${mean} nats a token, the command line says ${told.mean}`);
    assert.ok(Math.abs(Number(agreement) - told.agreement) <= 0.5, `${agreement} %, the command line says ${told.agreement} %`);
    await lab.screenshot('prompt kl');

    await stopsOnTheWay(lab, view, prompt.repeat(600));
  },
);

interface Told {
  /** Nats a token. */
  readonly mean: number;
  /** Percent. */
  readonly agreement: number;
}

/** What `run --kl` says of the same tokens, and writes of each. */
async function klByCommandLine(ids: readonly number[]): Promise<Told> {
  const folder = mkdtempSync(path.join(tmpdir(), 'model-lab-kl-'));
  try {
    const out = path.join(folder, 'run.safetensors');
    const args = ['run', MODEL, '--ids', ids.join(','), '--dtype', 'int4', '--kl', '--out', out];
    const said = execFileSync(process.execPath, [path.join(root, 'dist/cli.js'), ...args], { encoding: 'utf8' });
    const kl = [...((await readOracle(out)).get('kl')?.data ?? [])];
    return {
      mean: kl.reduce((sum, value) => sum + value, 0) / ids.length,
      agreement: Number(said.match(/the same after ([\d.]+) %/)?.[1]),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Begins to read a prompt, sees how far it is twice, and stops it. */
async function stopsOnTheWay(lab: Workbench, view: Frame, prompt: string): Promise<void> {
  await view.locator('vscode-text-area textarea').fill(prompt);
  await view.locator('vscode-text-area textarea').press('Control+Enter');
  const far = view.locator('.prefill', { hasText: /Reading the prompt: token [\d,]+ of [\d,]+/ });
  const read = async () => {
    const [, done, total] = (await far.innerText()).match(/token ([\d,]+) of ([\d,]+)/) ?? [];
    return { done: Number(done?.replaceAll(',', '')), total: Number(total?.replaceAll(',', '')) };
  };
  await far.waitFor();
  const before = await read();
  assert.equal(before.total, (await idsOf(prompt)).length);
  await eventually(async () => {
    const later = await read();
    assert.ok(later.done > before.done, `${before.done}, then ${later.done}`);
  });
  await lab.screenshot('prompt reading');
  await view.getByRole('button', { name: 'Stop' }).click();
  await view.getByText('Stopped before the prompt was read to its end').waitFor();
  assert.equal(await view.locator('.flow').count(), 0);
  await view.getByRole('button', { name: 'Run', exact: true }).waitFor();
  await lab.screenshot('prompt stopped');
}
