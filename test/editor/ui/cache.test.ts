import assert from 'node:assert/strict';
import { looks, settled, tableCells, uiTest } from '../ui.js';
import { filled, oracleOf, promptModel } from './runs.js';

const LAYER = 1;
const TOKEN = 20;

const parsed = (text: string | undefined): number => Number((text ?? '').replaceAll('−', '-'));

uiTest(
  'the KV cache view shows the reference keys, their norms and what they cost',
  { width: 1500, height: 950 },
  async (lab) => {
    const oracle = await oracleOf('tiny-llama');
    const count = oracle.ids.length;
    await promptModel(lab, 'tiny-llama', oracle.prompt, 0);
    await lab.command('Model Lab: Show KV Cache');
    const view = await lab.webview('cache');
    const strip = view.locator('.strip-scroll');
    await strip.waitFor({ timeout: 60_000 });
    await strip.focus();
    await strip.press('Home');
    for (let n = 0; n < TOKEN; n++) await strip.press('ArrowRight');
    await strip.press(']');
    await view.getByRole('heading', { name: `What layer ${LAYER} of tiny-llama keeps after ${count} tokens` }).waitFor();

    // the pictures of the layer before stay, marked busy, until those of this one are there
    await view.locator('.provenance', { hasText: `blocks.${LAYER}.state` }).waitFor();
    await settled(view);

    const k = oracle.tensor(`kv.${LAYER}.k`);
    const [heads = 0, , size = 0] = k.shape;
    const key = (head: number, token: number) =>
      k.data.subarray((head * count + token) * size, (head * count + token + 1) * size);

    // Two states (k and v) of every layer in fp32: by the book, not by our own sum.
    const bytes = 2 * heads * count * size * 4;
    const shown = await view.locator('.bars .bar').nth(LAYER).locator('.bar-value').innerText();
    assert.equal(shown, `${Number((bytes / 1000).toPrecision(3))} kB`);

    const slice = view.locator('.slice .chart-stage').first();
    await slice.focus();
    const [head, ...copied] = (await lab.copied(() => slice.press('c'))).split('\n').map((line) => line.split('\t'));
    assert.deepEqual(head, ['dimension', 'value']);
    assert.equal(copied.length, size);
    for (const [i, value] of copied.map(([, text]) => Number(text)).entries()) {
      const reference = key(0, TOKEN)[i] ?? Number.NaN;
      assert.ok(
        Math.abs(value - reference) < 2e-3 + 1e-3 * Math.abs(reference),
        `copied k[${i}] = ${value}, reference ${reference}`,
      );
    }
    await slice.press('t');
    const values = (await tableCells(view.locator('.slice .grid-table table')))
      .slice(1)
      .flatMap(([name, value]) => (name ? [parsed(value)] : []));
    assert.ok(values.length > 10, `only ${values.length} values in the table`);
    for (const [dimension, value] of values.entries()) {
      const reference = key(0, TOKEN)[dimension] ?? Number.NaN;
      assert.ok(
        Math.abs(value - reference) < 2e-3 + 1e-3 * Math.abs(reference),
        `k[${dimension}] = ${value}, reference ${reference}`,
      );
    }

    const map = view.locator('.token-map .heatmap-stage').first();
    await map.focus();
    await map.press('t');
    const [header = [], ...rows] = await tableCells(view.locator('.token-map .grid-table table').first());
    let compared = 0;
    for (const [name = '', ...norms] of rows) {
      for (const [i, text] of norms.entries()) {
        const token = Number(header[i + 1]);
        if (!/^K\d+$/.test(name) || !Number.isInteger(token) || text === '') continue;
        const reference = Math.hypot(...key(Number(name.slice(1)), token));
        assert.ok(
          Math.abs(parsed(text) - reference) < 2e-3 * reference,
          `${name}, token ${token}: ${text}, reference ${reference}`,
        );
        compared++;
      }
    }
    assert.ok(compared >= heads * 8, `only ${compared} norms could be compared`);
    await lab.screenshot('cache tables');
  },
);

uiTest('the KV cache in all themes, from wide to narrow', { height: 950 }, async (lab) => {
  const { prompt } = await oracleOf('tiny-llama');
  await promptModel(lab, 'tiny-llama', prompt, 16);
  await lab.command('Model Lab: Show KV Cache');
  const view = await lab.webview('cache');
  await view.locator('.slice .chart-stage').first().waitFor({ timeout: 60_000 });
  await looks(lab, view, 'cache', [
    ['dark', 1440],
    ['light', 1100],
    ['hc', 800],
  ]);
});

uiTest('a view without a run fills itself; a recurrent model says that it has no cache and offers its state', {}, async (lab) => {
  await lab.command('Model Lab: Show KV Cache');
  const { view: empty, tokens } = await filled(lab, 'cache');
  await empty.getByRole('heading', { name: `keeps after ${tokens} tokens` }).waitFor();
  await empty.getByText(`${tokens} positions, all kept`).waitFor();
  for (const map of ['L2 norm of K', 'Mean attention that later queries give'])
    await empty.getByLabel(new RegExp(`^${map}.* ${tokens} position columns`)).waitFor();

  await promptModel(lab, 'tiny-rwkv7', 'Once upon a time', 2);
  await lab.command('Model Lab: Show KV Cache');
  const view = await lab.webview('cache');
  await view.getByText('tiny-rwkv7 has no attention layers').waitFor({ timeout: 60_000 });
  await view.getByRole('button', { name: 'Show its state' }).click();
  await lab.webview('state');
});
