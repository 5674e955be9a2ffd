import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Frame } from 'playwright-core';
import { writeSafetensors } from '../../../server/formats/writeSafetensors.js';
import { eventually, heard, settled, type Theme, tableCells, uiTest, type Workbench } from '../ui.js';
import { oracleOf, promptModel } from './runs.js';

const parsed = (text: string | undefined): number => Number((text ?? '').replaceAll('−', '-'));

async function architecture(lab: Workbench): Promise<Frame> {
  await lab.command('Model Lab: Show Architecture');
  const view = await lab.webview('architecture');
  await view.locator('.graph-stage').waitFor({ timeout: 60_000 });
  await view.locator('.graph-stage').focus();
  return view;
}

const press = async (view: Frame, ...keys: string[]) => {
  for (const key of keys) await view.locator('.graph-stage').press(key);
};

/** The statistics in the side of the view, by name. */
async function statistics(view: Frame): Promise<Map<string, number>> {
  const list = view.locator('.graph-side .statistics').first();
  await list.waitFor({ timeout: 60_000 });
  await settled(view);
  const pairs = await list
    .locator('div')
    .evaluateAll((rows) =>
      rows.map((row) => [row.querySelector('dt')?.textContent ?? '', row.querySelector('dd')?.textContent ?? ''] as const),
    );
  return new Map(pairs.map(([name, value]) => [name, parsed(value)]));
}

const near = (actual: number | undefined, expected: number, what: string) =>
  assert.ok(
    Math.abs((actual ?? Number.NaN) - expected) <= 2e-3 * (1 + Math.abs(expected)),
    `${what}: ${actual}, reference ${expected}`,
  );

uiTest(
  'the graph that runs: walked by keyboard, its values those of the reference',
  { width: 1500, height: 950 },
  async (lab) => {
    const oracle = await oracleOf('tiny-llama');
    const last = oracle.ids.length - 1;
    await promptModel(lab, 'tiny-llama', oracle.prompt, 0);
    const view = await architecture(lab);

    // From the tokens along the edges into the first block.
    await press(view, 'Home');
    await heard(view, new RegExp(`token ${last} of ${last + 1}|tokens`));
    await press(view, 'ArrowDown');
    await heard(view, /embed/);
    await press(view, 'ArrowDown');
    await heard(view, /blocks 0–4, open, 5 × attention/);
    await press(view, 'ArrowDown');
    await heard(view, /block 0, open/);

    // The same place in the next block, and in it to what attention writes.
    await view.locator('.graph-stage').press('/');
    const search = view.getByRole('textbox', { name: 'Search in the graph' });
    await search.fill('attn.pattern');
    await view.getByText('of 1', { exact: false }).first().waitFor({ timeout: 60_000 });
    await search.press('Enter');
    await search.press('Escape');
    await heard(view, /attn\.pattern, Softmax, /);
    await view.getByRole('navigation').getByRole('button', { name: 'attn.pattern' }).waitFor();

    // The weights of the last query, by the reference.
    const { shape, data } = oracle.tensor('attn.0');
    const [H = 0, , T = 0] = shape;
    const row = Array.from({ length: H }, (_, h) => Array.from(data.subarray((h * T + last) * T, (h * T + last + 1) * T))).flat();
    const shown = await statistics(view);
    near(shown.get('max'), Math.max(...row), 'largest weight');
    near(shown.get('mean'), row.reduce((a, b) => a + b, 0) / row.length, 'mean weight');
    near(shown.get('‖·‖'), Math.hypot(...row), 'length');
    // All queries of a key head in one product: its size at this many tokens, in numbers.
    const [shared = 0] = oracle.tensor('kv.0.k').shape;
    const size = `${shared} × ${(H / shared) * T} × ${T}`;
    await view.locator('.graph-side', { hasText: `attn.pattern ${size}` }).waitFor({ timeout: 60_000 });
    await lab.screenshot('architecture');

    // The stream: what enters each block, in the table twin.
    await press(view, 't');
    const table = view.getByRole('grid', { name: 'Boxes of the graph' });
    await table.waitFor();
    const block = (await tableCells(table)).find(([name]) => name === 'block 1') ?? [];
    const [before] = /‖([^‖]+)‖ → /.exec(block.join(' '))?.slice(1) ?? [];
    const hidden = oracle.tensor('hidden.1');
    const D = hidden.shape[1] ?? 0;
    near(parsed(before), Math.hypot(...hidden.data.subarray(last * D, (last + 1) * D)), 'residual entering block 1');
    await lab.screenshot('architecture table');

    // From a product to its matrix in the weights.
    await table.press('t');
    await view.locator('.graph-stage').press('/');
    await search.fill('q_proj');
    await view.getByText('of 1', { exact: false }).first().waitFor({ timeout: 60_000 });
    await search.press('Enter');
    await search.press('Escape');
    await view.locator('.graph-weights').getByRole('button', { name: 'self_attn.q_proj.weight' }).click();
    const weights = await lab.webview('weights');
    await weights.getByRole('heading', { name: /^model\.layers\.\d\.self_attn\.q_proj\.weight$/ }).waitFor({ timeout: 60_000 });
  },
);

uiTest('the graphs of the embedded models in all themes, from wide to narrow', { height: 950 }, async (lab) => {
  for (const [model, theme, width] of [
    ['tiny-rwkv7', 'light', 1100],
    ['tiny-mamba', 'hc', 900],
    ['tiny-llama', 'dark', 640],
  ] as [string, Theme, number][]) {
    await lab.show(theme, width, 950);
    await promptModel(lab, model, '从前 Anna 😀 has the red kite.', 4);
    const view = await architecture(lab);
    await view.getByRole('heading', { name: `How ${model} computes` }).waitFor();
    await press(view, 'Home', 'ArrowDown', 'ArrowDown', 'ArrowDown');
    await heard(view, /block|ln|norm/);
    await view.locator('.graph-side h2').waitFor();
    await lab.screenshot(`architecture ${theme}`);
  }
});

/** A llama of many small blocks, without a tokenizer: 100 layers of 84 operators. */
async function deepModel(layers: number): Promise<string> {
  const workspace = mkdtempSync(path.join(tmpdir(), 'model-lab-deep-'));
  const folder = path.join(workspace, `llama-${layers}`);
  mkdirSync(folder);
  const [D, F, V] = [16, 32, 40];
  const config = {
    model_type: 'llama',
    architectures: ['LlamaForCausalLM'],
    hidden_size: D,
    intermediate_size: F,
    num_hidden_layers: layers,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    vocab_size: V,
    rms_norm_eps: 1e-5,
  };
  writeFileSync(path.join(folder, 'config.json'), JSON.stringify(config));
  const tensor = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(0.01) });
  const tensors = new Map([
    ['model.embed_tokens.weight', tensor(V, D)],
    ['model.norm.weight', tensor(D)],
    ['lm_head.weight', tensor(V, D)],
  ]);
  for (let i = 0; i < layers; i++) {
    const add = (name: string, ...shape: number[]) => tensors.set(`model.layers.${i}.${name}.weight`, tensor(...shape));
    for (const norm of ['input_layernorm', 'post_attention_layernorm']) add(norm, D);
    for (const name of ['q_proj', 'o_proj']) add(`self_attn.${name}`, D, D);
    for (const name of ['k_proj', 'v_proj']) add(`self_attn.${name}`, D / 2, D);
    for (const name of ['gate_proj', 'up_proj']) add(`mlp.${name}`, F, D);
    add('mlp.down_proj', D, F);
  }
  await writeSafetensors(path.join(folder, 'model.safetensors'), tensors);
  return workspace;
}

const LAYERS = 100;
const deep = await deepModel(LAYERS);

uiTest(`a model of ${LAYERS} layers, all open, moves smoothly`, { folder: deep, width: 1500, height: 950 }, async (lab) => {
  await lab.showSideBar();
  const row = lab
    .treeRows('Models')
    .filter({ hasText: `llama-${LAYERS}` })
    .first();
  await row.click({ button: 'right' });
  await lab.pickFromMenu('Show Architecture');
  const view = await lab.webview('architecture');
  await view.getByRole('heading', { name: `${LAYERS} blocks` }).waitFor({ timeout: 60_000 });
  await view.locator('.graph-stage').focus();
  // One box until it is opened.
  await press(view, 'Home', 'ArrowDown', 'ArrowDown');
  await heard(view, new RegExp(`blocks 0–${LAYERS - 1}, closed, ${LAYERS} × attention`));
  await lab.screenshot('architecture deep');
  await press(view, 'e');
  await heard(view, /open/);
  await press(view, 't');
  const table = view.getByRole('grid', { name: 'Boxes of the graph' });
  // every block's two norms, two modules and their steps
  await view.locator('.graph-table table[aria-rowcount]').waitFor();
  const rows = async () => Number(await table.getAttribute('aria-rowcount'));
  await eventually(async () => assert.ok((await rows()) > LAYERS * 20, `only ${await rows()} boxes`));
  await table.press('t');
  await view.locator('.graph-stage').waitFor();
  const { frames, drawing } = await panned(view);
  const told = (times: readonly number[]) => {
    const sorted = times.toSorted((a, b) => a - b);
    const at = (share: number) => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1);
    return `median ${at(0.5)}, p95 ${at(0.95)}, worst ${at(1)} ms`;
  };
  console.log(
    `${LAYERS} layers all open, panned: ${frames.length} frames, ${told(frames)} apart; drawing one takes ${told(drawing)}`,
  );
  assert.ok(frames.length > 50);
  await heard(view, /block/);
  await lab.screenshot('architecture deep open');
});

/** Time between frames while the picture is moved through all of its height, and how long drawing each took. */
const panned = (view: Frame): Promise<{ frames: number[]; drawing: number[] }> =>
  view.evaluate(async () => {
    const stage = document.querySelector('.graph-stage');
    const [frames, drawing]: [number[], number[]] = [[], []];
    let last = await new Promise<number>(requestAnimationFrame);
    for (let n = 0; n < 120; n++) {
      stage?.dispatchEvent(new WheelEvent('wheel', { deltaY: 240, bubbles: true, cancelable: true }));
      const now = await new Promise<number>(requestAnimationFrame);
      frames.push(now - last);
      drawing.push(performance.getEntriesByName('graph.draw').at(-1)?.duration ?? Number.NaN);
      last = now;
    }
    return { frames, drawing };
  });
