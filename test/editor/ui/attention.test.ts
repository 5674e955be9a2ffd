import assert from 'node:assert/strict';
import path from 'node:path';
import type { Frame } from 'playwright-core';
import { openModel } from '../../../server/open.js';
import { promptIds } from '../../../server/prompt.js';
import { LocalDevice } from '../../../server/runtime/sessions.js';
import type { Tensor } from '../../../server/tensor/tensor.js';
import type { Tokenizer } from '../../../server/tokenizer/tokenizer.js';
import { root } from '../codeServer.js';
import { looks, settled, tableCells, uiTest } from '../ui.js';
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
  await settled(view);
  for (const bar of await bars.allInnerTexts()) {
    const [label = '', value = ''] = bar.split('\n');
    const key = Number.parseInt(label, 10);
    assert.ok(Math.abs(numberOf(value) - weight(QUERY, key)) < 6e-4, `key ${key}: ${value}, reference ${weight(QUERY, key)}`);
  }

  // colours span this head's weights, not those of the heads that were walked over
  const weights = Array.from({ length: count * count }, (_, i) => weight(Math.floor(i / count), i % count));
  const end = await view.locator('.map-foot .legend > span').nth(2).innerText();
  const clip = weights.sort((a, b) => a - b)[Math.round(0.999 * (count * count - 1))] ?? Number.NaN;
  assert.ok(Math.abs(numberOf(end.replace('≥', '')) - clip) < 1e-2, `${end}, reference ${clip}`);

  const key = Number.parseInt(await bars.first().innerText(), 10);
  await bars.first().click();
  const softmax = view
    .locator('.formula tr', { has: view.locator('th', { hasText: 'softmax' }) })
    .locator('td')
    .first();
  const shown = numberOf(await softmax.innerText());
  assert.ok(Math.abs(shown - weight(QUERY, key)) < 6e-4 + 5e-3 * weight(QUERY, key), `${shown}, reference ${weight(QUERY, key)}`);
  await settled(view);
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

uiTest(
  'a long map: every zoom, who reads a token and the heaviest reads show the dense pattern',
  { width: 1600, height: 1000 },
  async (lab) => {
    const { prompt } = await oracleOf('tiny-llama');
    const side = await promptModel(lab, 'tiny-llama', prompt.repeat(48), 0);
    await side.getByRole('button', { name: 'Attention' }).click();
    const view = await lab.webview('attention');
    await walkTo(view);
    const dense = await densePattern(prompt.repeat(48));
    const { count, weight } = dense;
    assert.ok(count > 1000, `${count} tokens`);

    await view.locator('.column-details .bar').first().waitFor();
    await settled(view);
    const readers = Array.from({ length: count }, (_, query) => weight(HEAD, query, QUERY)).sort((a, b) => b - a);
    for (const [i, bar] of (await view.locator('.column-details .bar').allInnerTexts()).entries()) {
      const [label = '', value = ''] = bar.split('\n');
      const expected = weight(HEAD, Number.parseInt(label, 10), QUERY);
      assert.ok(Math.abs(numberOf(value) - expected) < 6e-4, `query ${label}: ${value}, dense ${expected}`);
      assert.ok(Math.abs(numberOf(value) - (readers[i] as number)) < 6e-4, `place ${i}: ${value}, dense ${readers[i]}`);
    }
    await lab.screenshot('attention long');

    const map = view.locator('.heatmap-stage');
    await view.locator('body').press('Escape');
    await view.locator('.edge-details .bar').first().waitFor({ timeout: 60_000 });
    const edges = await view.locator('.edge-details[aria-busy=false] .bar').allInnerTexts();
    const heaviest = dense.edges(edges.length);
    for (const [i, bar] of edges.entries()) {
      const [, layer, head, query, key] = /^(\d+)\.(\d+): (\d+) .*← (\d+) /s.exec(bar) ?? [];
      const value = numberOf(bar.split('\n').at(-1) as string);
      assert.equal(Number(layer), LAYER);
      assert.ok(Math.abs(value - weight(Number(head), Number(query), Number(key))) < 6e-4, bar);
      assert.ok(Math.abs(value - (heaviest[i] as number)) < 6e-4, `place ${i}: ${bar}, dense ${heaviest[i]}`);
    }
    // with nothing selected, the map says where it comes from all the same
    await view.locator('.provenance', { hasText: `blocks.${LAYER}.attn.pattern` }).waitFor();
    await lab.screenshot('attention edges');

    await map.focus();
    await map.press('Home');
    for (const steps of [0, 4, 8]) {
      for (let n = 0; n < (steps === 0 ? 0 : 4); n++) await map.press('+');
      await view.locator('.map-foot', { hasText: /^((?!sharpening).)*$/ }).waitFor();
      for (let n = 0; n < 6; n++) await map.press('ArrowDown');
      const said = await view.locator('.map .chart-reading').innerText();
      const [, row, value] = /^query (\d+) .* reads key 0 .*: ([\d.e−-]+)( \(|$)/s.exec(said) ?? [];
      const pooled = /max of about/.test(said);
      const expected = weight(HEAD, Number(row), 0);
      const shown = numberOf(value ?? '');
      assert.ok(
        pooled ? shown >= expected - 1e-3 * (1 + expected) : Math.abs(shown - expected) < 1e-3 * (1 + expected),
        `${said}, dense ${expected}`,
      );
    }
    const { times, idle } = await gestures(view);
    const at = (of: readonly number[], q: number) =>
      ([...of].sort((a, b) => a - b)[Math.floor(of.length * q)] as number).toFixed(1);
    console.log(
      `# pan or zoom of ${count} tokens from the warm cache, from the gesture to the frame: median ${at(times, 0.5)} ms, p95 ${at(times, 0.95)} ms; frames without a gesture: p95 ${at(idle, 0.95)} ms`,
    );
    assert.equal(times.length, 80);
  },
);

uiTest('attention in other themes, in the middle and narrow', { height: 900 }, async (lab) => {
  const { prompt } = await oracleOf('tiny-llama');
  const side = await promptModel(lab, 'tiny-llama', prompt, 16);
  await side.getByRole('button', { name: 'Attention' }).click();
  const view = await lab.webview('attention');
  await walkTo(view);
  await view.locator('.row-details .bar').first().waitFor();
  await looks(lab, view, 'attention', [
    ['light', 1100],
    ['hc', 800],
  ]);
  // The heads are one stop of the tab key, and arrow keys walk them.
  assert.equal(await view.locator('.head[tabindex="0"]').count(), 1);
  await view.locator('.head.chosen').press('ArrowDown');
  await view.locator('.head:focus').press('ArrowLeft');
  await view.getByRole('heading', { name: `What head ${LAYER + 1}.${HEAD - 1} of tiny-llama reads` }).waitFor();
});

uiTest('a model without attention says so and offers its state', {}, async (lab) => {
  const side = await promptModel(lab, 'tiny-mamba', 'Once upon a time', 2);
  assert.equal(await side.getByRole('button', { name: 'Attention' }).count(), 0);
  await lab.command('Model Lab: Show Attention');
  const view = await lab.webview('attention');
  await view.getByText('tiny-mamba has no attention').waitFor();
  await view.getByRole('button', { name: 'Show state' }).click();
  await lab.webview('state');
});

/** Goes over the same path until its tiles are there, by pan and zoom; the last time says how long each took until its frame was drawn. */
const gestures = (view: Frame): Promise<{ readonly times: number[]; readonly idle: number[] }> =>
  view.evaluate(async () => {
    const stage = document.querySelector('.heatmap-stage') as HTMLElement;
    const { left, top, width, height } = stage.getBoundingClientRect();
    const at = { clientX: left + width / 3, clientY: top + height / 2, bubbles: true, cancelable: true };
    const frame = () => new Promise<number>((done) => requestAnimationFrame(done));
    const move = (i: number) => {
      const out = i % 10 < 5 ? 60 : -60;
      stage.dispatchEvent(
        new WheelEvent('wheel', i % 2 ? { ...at, deltaX: out, deltaY: 0 } : { ...at, deltaY: out, ctrlKey: true }),
      );
    };
    const sharp = async () => {
      await frame();
      while (document.querySelector('.map-foot')?.textContent?.includes('sharpening')) await frame();
    };
    const [times, idle]: [number[], number[]] = [[], []];
    for (let i = 0; i < 80; i++) {
      const started = performance.now();
      await frame();
      idle.push(performance.now() - started);
    }
    for (const warm of [false, false, true])
      for (let i = 0; i < 80; i++) {
        await frame();
        const started = performance.now();
        move(i);
        await sharp();
        if (warm) times.push(performance.now() - started);
      }
    return { times, idle };
  });

/** The pattern of the layer as the engine computes it whole, outside of the lab. */
async function densePattern(prompt: string) {
  const device = new LocalDevice();
  const { model, tokenizer } = await openModel(path.join(root, 'media/models/tiny-llama'), { device, threads: 1 });
  const ids = promptIds(tokenizer as Tokenizer, prompt, false);
  const run = await model.start();
  await run.prefill(ids);
  const name = `blocks.${LAYER}.attn.pattern`;
  const { shape, data } = (await run.probes([name])).get(name) as Tensor;
  await device.close();
  const [heads, count] = shape as [number, number, number];
  const weight = (head: number, query: number, key: number) => data[(head * count + query) * count + key] as number;
  /** The heaviest weights of a layer, but those on the token itself and on the first one. */
  const edges = (most: number) => {
    let best: number[] = [];
    for (let head = 0; head < heads; head++)
      for (let query = 1; query < count; query++) {
        for (let key = 1; key < query; key++)
          if (weight(head, query, key) > (best[most - 1] ?? 0)) best.push(weight(head, query, key));
        if (best.length > 4 * most) best = best.sort((a, b) => b - a).slice(0, most);
      }
    return best.sort((a, b) => b - a).slice(0, most);
  };
  return { count, weight, edges };
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
