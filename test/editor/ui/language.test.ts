import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { eventually, uiTest } from '../ui.js';
import { oracleOf, probabilities, promptModel } from './runs.js';

const NEW = 1;
/** A prompt whose probabilities a reference knows. */
const oracle = await oracleOf('tiny-llama');
const folder = mkdtempSync(path.join(os.tmpdir(), 'model-lab-prompt-'));
writeFileSync(path.join(folder, 'prompt.txt'), oracle.prompt);
writeFileSync(path.join(folder, 'other.txt'), 'Sam had a kite.');
after(() => rmSync(folder, { recursive: true, force: true }));

uiTest('names in code say what they are, and after a run what they hold', { open: 'inspect_model.py' }, async (lab) => {
  // The server answers once it has set the lenses.
  await lab.page.locator('.codelens-decoration a').first().waitFor();
  const cold = await lab.hover('scaled_dot_product_attention');
  assert.match(cold, /Scaled dot-product attention/);
  assert.match(cold, /z = softmax\(q Kᵀ \/ √E \+ mask\) V/);
  assert.match(cold, /Attention Is All You Need \(arXiv 1706\.03762\)/);
  assert.doesNotMatch(cold, /active run/);

  await promptModel(lab, 'tiny-llama', oracle.prompt, NEW);
  await lab.page.locator('.tabs-container .tab.active').click();
  const q = await lab.hover('q_proj');
  assert.match(q, /Query projection W_Q[\s\S]*q = W_Q · norm\(x\)[\s\S]*arXiv 1706\.03762/);
  assert.match(q, /model\.layers\.0\.self_attn\.q_proj\.weight \[192, 192\] F16, 73\.7 kB/);
  assert.match(q, /blocks\.0\.attn\.q \[6, 33, 32\] F32, 25\.3 kB, norm [\d.]+ in the active run/);
  await lab.screenshot('hover');
  const cache = await lab.hover('past_key_values');
  assert.match(cache, /KV cache[\s\S]*bytes = 2 · L · K · E · T[\s\S]*arXiv 1911\.02150/);
  const norm = Number(cache.match(/blocks\.0\.state\.v \[2, 33, 32\] F32, 8\.45 kB, norm ([\d.]+)/)?.[1]);
  assert.ok(Math.abs(norm - valueNorm()) < 0.0006, `norm ${norm}, reference ${valueNorm()}`);
  const z = await lab.hover('scaled_dot_product_attention');
  assert.match(z, /blocks\.0\.attn\.pattern \[6, 33, 33\] F32, 26\.1 kB, norm [\d.]+ in the active run/);
});

uiTest(
  'a token in a text says its id, and after a run of that text its probability',
  { folder, open: 'prompt.txt' },
  async (lab) => {
    await promptModel(lab, 'tiny-llama', oracle.prompt, NEW);
    await lab.page.locator('.tabs-container .tab.active').click();
    const text = await lab.hover('blue');
    const [, id, index, percentage] = (
      text.match(/id (\d+)[\s\S]*token (\d+) of the active run: probability ([\d.e-]+) %/) ?? []
    ).map(Number);
    assert.ok(index && percentage, text);
    assert.equal(id, oracle.ids[index]);
    assert.match(text, /^Token ·blue · id/);
    const reference = 100 * (probabilities(oracle.tensor('logits'), index - 1)[id as number] as number);
    assert.ok(Math.abs(percentage / reference - 1) < 0.01, `${percentage} %, reference ${reference} %`);
    await lab.screenshot('hover token');
    await lab.openFile('other.txt');
    const elsewhere = await lab.hover('kite');
    assert.equal(
      Number(elsewhere.match(/·kite · id (\d+)/)?.[1]),
      oracle.ids[oracle.prompt.split(/(?= )|(?=[,.])/).indexOf(' kite')],
    );
    assert.doesNotMatch(elsewhere, /probability/);
  },
);

uiTest(
  'a config.json that contradicts itself is marked, and can be run from where it is',
  { open: 'broken-llama/config.json' },
  async (lab) => {
    await lab.page.locator('.squiggly-error').first().waitFor();
    await lab.page.locator('.codelens-decoration a').first().waitFor();
    await eventually(async () =>
      assert.deepEqual(await lab.page.locator('.codelens-decoration a').allInnerTexts(), ['Inspect', 'Run in Model Lab']),
    );
    await lab.command('Problems: Focus on Problems View');
    const problems = lab.page.locator('.markers-panel .monaco-list-row');
    await problems.nth(2).waitFor();
    const [file, heads, kv] = await problems.allInnerTexts();
    assert.match(file ?? '', /config\.json[\s\S]*2$/);
    assert.match(heads ?? '', /hidden_size 192 is not a multiple of num_attention_heads 7 \(remainder 3\)[\s\S]*Ln 7,/);
    assert.match(kv ?? '', /num_attention_heads 7 is not a multiple of num_key_value_heads 2[\s\S]*Ln 8,/);
    await lab.screenshot('config');
  },
);

/**
 * Norm of the first block's values [K,T,E] for the reference's prompt and the token generated after it. A value there depends
 * on its token alone, and that token is in the prompt too.
 */
function valueNorm(): number {
  const { shape, data } = oracle.tensor('kv.0.v');
  const [, tokens = 0, width = 0] = shape;
  const twin = oracle.ids.indexOf(Number(oracle.tensor('greedy.ids').data[0]));
  assert.ok(twin >= 0);
  const squares = Array.from(data, (value, at) => value ** 2 * (Math.floor(at / width) % tokens === twin ? 2 : 1));
  return Math.sqrt(squares.reduce((sum, square) => sum + square, 0));
}
