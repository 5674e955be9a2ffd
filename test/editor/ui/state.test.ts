import assert from 'node:assert/strict';
import type { Frame } from 'playwright-core';
import { settled, type Theme, tableCells, uiTest, type Workbench } from '../ui.js';
import { filled, oracleOf, promptModel } from './runs.js';

const LAYER = 1;
const GROUP = 2;

const parsed = (text: string | undefined): number => Number((text ?? '').replaceAll('−', '-'));

async function open(lab: Workbench, model: string, prompt: string, newTokens = 0): Promise<Frame> {
  await promptModel(lab, model, prompt, newTokens);
  await lab.command('Model Lab: Show State');
  const view = await lab.webview('state');
  await view.locator('.picture .heatmap-stage').first().waitFor({ timeout: 60_000 });
  return view;
}

/** By keyboard alone: the last token, then ] and }. */
async function walk(view: Frame, token: number): Promise<void> {
  const strip = view.locator('.strip-scroll');
  await strip.focus();
  await strip.press('End');
  for (let n = 0; n < LAYER; n++) await strip.press(']');
  for (let n = 0; n < GROUP; n++) await strip.press('}');
  await view.getByRole('heading', { name: new RegExp(`layer ${LAYER}, .* after token ${token} `) }).waitFor();
  await view.locator('.badge').nth(1).waitFor();
  await settled(view);
}

/** Numbers of the picture's table that are in the page: row, column, value. */
async function cells(view: Frame, picture: number): Promise<[row: number, col: number, value: number][]> {
  const stage = view.locator('.picture .heatmap-stage').nth(picture);
  await stage.focus();
  await stage.press('t');
  const [header = [], ...rows] = await tableCells(view.locator('.picture .grid-table table'));
  return rows.flatMap(([name, ...values]) =>
    values.flatMap((text, i): [number, number, number][] => {
      const place = [Number(name || 'none'), Number(header[i + 1] || 'none')] as const;
      return place.every(Number.isInteger) && text !== '' ? [[...place, parsed(text)]] : [];
    }),
  );
}

for (const { model, reference, groupName } of [
  {
    model: 'tiny-mamba',
    groupName: 'channels 128–191',
    // The picture lies on its side: states down, channels across. [d_inner, N]
    reference: { name: `state.${LAYER}.ssm`, index: (row: number, col: number) => (GROUP * 64 + col) * 16 + row },
  },
  {
    model: 'tiny-rwkv7',
    groupName: 'head 2',
    // The reference keeps [H, key, value]; the view shows values down, keys across.
    reference: { name: `state.${LAYER}.recurrent_state`, index: (row: number, col: number) => (GROUP * 64 + col) * 64 + row },
  },
]) {
  uiTest(`the state of ${model} is the reference's, and its update adds up`, { width: 1500, height: 1000 }, async (lab) => {
    const oracle = await oracleOf(model);
    const view = await open(lab, model, oracle.prompt);
    await walk(view, oracle.ids.length - 1);
    await view.getByRole('heading', { level: 1, name: new RegExp(groupName) }).waitFor();

    const badges = await view.locator('.badge').allInnerTexts();
    for (const badge of badges) assert.match(badge, /holds (exactly|to \de-\d+)$/, badge);
    assert.equal(badges.length, 2);
    await lab.screenshot(`state ${model}`);

    const { data } = oracle.tensor(reference.name);
    const shown = await cells(view, 0);
    assert.ok(shown.length > 50, `only ${shown.length} cells in the table`);
    for (const [row, col, value] of shown) {
      const expected = data[reference.index(row, col)] ?? Number.NaN;
      assert.ok(Math.abs(value - expected) < 2e-3 + 2e-3 * Math.abs(expected), `${row},${col}: ${value}, reference ${expected}`);
    }
  });
}

uiTest(
  'steps are played as they were recorded and compared with each other',
  { theme: 'light', width: 1100, height: 1000 },
  async (lab) => {
    const { prompt, ids } = await oracleOf('tiny-rwkv7');
    const view = await open(lab, 'tiny-rwkv7', prompt);
    const strip = view.locator('.strip-scroll');
    await strip.focus();
    await strip.press('End');
    for (let n = 0; n < 3; n++) await strip.press('ArrowLeft');
    await strip.press('d');
    await strip.press(' ');
    await view.getByText(`token ${ids.length - 1} of ${ids.length}`).waitFor({ timeout: 30_000 });
    await view.getByText(`after ${ids.length - 1} − after ${ids.length - 4}`).waitFor();
    await view.getByRole('button', { name: /^Play/ }).waitFor();
    await settled(view);
    const stage = view.locator('.picture .heatmap-stage').first();
    await stage.focus();
    await stage.press('ArrowDown');
    const said = await view.locator('.equation .chart-reading').innerText();
    const terms = said
      .match(/: (\S+) = (\S+) × \(?([^\s)]+)\)? − \(?([^\s)]+)\)? \+ \(?([^\s)]+)\)?/)
      ?.slice(1)
      .map(parsed);
    assert.ok(terms?.every(Number.isFinite), said);
    const [after = 0, decay = 0, before = 0, removal = 0, write = 0] = terms ?? [];
    // The terms are shown with three digits.
    const scale = Math.abs(before) + Math.abs(removal) + Math.abs(write);
    assert.ok(Math.abs(after - (decay * before - removal + write)) < 0.01 * scale, said);
    await lab.screenshot('state diff light');
  },
);

uiTest(
  'windows and shifts show how they move',
  { theme: 'hc', width: 900, height: 900 } satisfies { theme: Theme; width: number; height: number },
  async (lab) => {
    const { prompt } = await oracleOf('tiny-mamba');
    const view = await open(lab, 'tiny-mamba', prompt);
    await view.locator('vscode-dropdown[aria-label=State]').click();
    await view.getByRole('option', { name: /^conv/ }).click();
    await view.locator('.term-sign', { hasText: '←' }).waitFor();
    // nobody has selected a token: the lines read what the title says, the last one
    await view.locator('.series-value', { hasText: /\d/ }).first().waitFor();
    await lab.screenshot('state conv hc');
  },
);

uiTest('a view without a run fills itself; a transformer says that it has no state and offers what it has', {}, async (lab) => {
  await lab.command('Model Lab: Show State');
  // The history is that of all tokens, though it was first asked for while the model wrote.
  const { view: empty, tokens } = await filled(lab, 'state');
  await empty.getByText(`token ${tokens - 1} of ${tokens}`).waitFor();
  await empty.getByLabel(new RegExp(`^Norm of the state .* over ${tokens} tokens`)).waitFor();

  await promptModel(lab, 'tiny-llama', 'Once upon a time', 2);
  await lab.command('Model Lab: Show State');
  const view = await lab.webview('state');
  await view.getByText('tiny-llama has no recurrent state').waitFor({ timeout: 60_000 });
  await view.getByRole('button', { name: 'what they cache' }).click();
  await lab.webview('cache');
});
