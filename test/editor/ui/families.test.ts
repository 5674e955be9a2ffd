import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { promisify } from 'node:util';
import type { Frame } from 'playwright-core';
import type { Inference } from '../../../server/protocol/models.js';
import { type OracleTensor, readOracle } from '../../fixtures/readOracle.js';
import { root } from '../codeServer.js';
import { eventually, settled, tableCells, uiTest, type Workbench } from '../ui.js';
import { promptModel } from './runs.js';

const cli = path.join(root, 'dist/cli.js');
const execute = promisify(execFile);

const zoo = mkdtempSync(path.join(tmpdir(), 'model-lab-zoo-'));
after(() => rmSync(zoo, { recursive: true }));

const unknown = mkdtempSync(path.join(tmpdir(), 'model-lab-unknown-'));
after(() => rmSync(unknown, { recursive: true }));

/** A fixture of a family that is known by no name, under another one and with a changed config. */
function renamed(from: string, name: string, change: (config: Record<string, unknown>) => Record<string, unknown>): void {
  const fixture = path.join(root, 'test/fixtures/oracles_inferred', from);
  cpSync(fixture, path.join(unknown, name), { recursive: true });
  const config = JSON.parse(readFileSync(path.join(fixture, 'config.json'), 'utf8'));
  const other = { ...change(config), model_type: name, architectures: [`${name}ForCausalLM`] };
  writeFileSync(path.join(unknown, name, 'config.json'), JSON.stringify(other));
}

/** A fixture with a vocabulary of words, one a token, so that a text says its ids. */
function planted(name: string): void {
  cpSync(path.join(root, 'test/fixtures/oracles', name), path.join(zoo, name), { recursive: true });
  const { vocab_size } = JSON.parse(readFileSync(path.join(zoo, name, 'config.json'), 'utf8'));
  const vocab = Object.fromEntries(Array.from({ length: vocab_size }, (_, id) => [`w${id}`, id]));
  const model = { type: 'WordPiece', vocab, unk_token: 'w0', continuing_subword_prefix: '##', max_input_chars_per_word: 9 };
  const rest = { added_tokens: [], normalizer: null, post_processor: null, decoder: null };
  writeFileSync(
    path.join(zoo, name, 'tokenizer.json'),
    JSON.stringify({ version: '1.0', ...rest, pre_tokenizer: { type: 'WhitespaceSplit' }, model }),
  );
}

type Oracle = ReadonlyMap<string, OracleTensor>;
type Reference = (group: number, row: number, col: number) => number;

/** Row `group`, `row`, `col` of a tensor [G,R,C]. */
const at =
  ({ shape, data }: OracleTensor, token?: number): Reference =>
  (group, row, col) => {
    const [R = 1, C = 1] = shape.slice(-2);
    const whole = shape.slice(token === undefined ? 0 : 1).reduce((a, b) => a * b, 1);
    return data[(token ?? 0) * whole + (group * R + row) * C + col] ?? Number.NaN;
  };

interface Case {
  readonly family: string;
  /** What the State view's first picture of layer 0, first head or channels, shows after the last token, and whether it lies on its side. */
  readonly state?: { of(oracle: Oracle, last: number): Reference; readonly turned: boolean };
  /** Keys [K,T,E] that the KV cache view's slice at the last token is of. */
  readonly keys?: string;
  readonly attends: boolean;
}

const tensor = (oracle: Oracle, name: string): OracleTensor => {
  const found = oracle.get(name);
  assert.ok(found, `the oracle has ${name}`);
  return found;
};

const [only, both] = [{ attends: false }, { attends: true }];
const cases: readonly Case[] = [
  { family: 'ttt_linear', ...only, state: { of: (o, last) => at(tensor(o, 'layer.0.W1_t'), last), turned: false } },
  { family: 'ttt_mlp', ...only, state: { of: (o, last) => at(tensor(o, 'layer.0.W1_t'), last), turned: false } },
  { family: 'mamba2', ...only, state: { of: (o) => at(tensor(o, 'state.0.ssm')), turned: false } },
  { family: 'xlstm', ...only },
  { family: 'megalodon', ...both },
  { family: 'nsa', ...both },
  { family: 'jamba', ...both, state: { of: (o) => at(tensor(o, 'state.0.ssm')), turned: true }, keys: 'kv.1.k' },
];

for (const { family } of cases) planted(family);

const parsed = (text: string): number => Number(text.replaceAll('−', '-'));

/** What a view says that is neither a number nor a reason. */
async function assertSound(view: Frame, what: string): Promise<void> {
  await settled(view);
  const errors = await view.locator('.failed, [role=alert]').allInnerTexts();
  assert.deepEqual(errors, [], `${what} shows an error`);
  assert.ok((await view.locator('body').innerText()).trim().length > 40, `${what} says something`);
}

async function stateOf(lab: Workbench, { family, state: reference }: Case, oracle: Oracle): Promise<void> {
  await lab.command('Model Lab: Show State');
  const view = await lab.webview('state');
  await view.locator('.provenance', { hasText: family }).waitFor({ timeout: 60_000 });
  await view.locator('.picture .heatmap-stage').first().waitFor({ timeout: 60_000 });
  const strip = view.locator('.strip-scroll');
  await strip.focus();
  await strip.press('End');
  const last = (oracle.get('input_ids')?.data.length ?? 0) - 1;
  await view.getByRole('heading', { name: new RegExp(`after token ${last} `) }).waitFor();
  await assertSound(view, `the state of ${family}`);
  await lab.screenshot(`families state ${family}`);
  if (!reference) return;
  const stage = view.locator('.picture .heatmap-stage').first();
  await stage.focus();
  await stage.press('t');
  const [header = [], ...rows] = await tableCells(view.locator('.picture .grid-table table'));
  const expected = reference.of(oracle, last);
  let compared = 0;
  for (const [name, ...values] of rows)
    for (const [i, text] of values.entries()) {
      const [row, col] = [Number(name || 'none'), Number(header[i + 1] || 'none')];
      if (text === '' || !Number.isInteger(row) || !Number.isInteger(col)) continue;
      const value = reference.turned ? expected(0, col, row) : expected(0, row, col);
      assert.ok(
        Math.abs(parsed(text) - value) < 2e-3 + 2e-3 * Math.abs(value),
        `${family} ${row},${col}: ${text}, reference ${value}`,
      );
      compared++;
    }
  assert.ok(compared > 20, `only ${compared} cells of ${family} in the table`);
  await stage.focus();
  await stage.press('t'); // the next family begins with the picture
}

async function cacheOf(lab: Workbench, { family, keys, attends }: Case, oracle: Oracle): Promise<void> {
  await lab.command('Model Lab: Show KV Cache');
  const view = await lab.webview('cache');
  if (!attends) await view.getByText(`${family} has no attention layers`).waitFor({ timeout: 60_000 });
  else await view.getByRole('heading', { name: new RegExp(`of ${family} keeps after 24 tokens`) }).waitFor({ timeout: 60_000 });
  await assertSound(view, `the cache of ${family}`);
  await lab.screenshot(`families cache ${family}`);
  if (keys === undefined) return;
  const slice = view.locator('.slice .chart-stage').first();
  await slice.waitFor({ timeout: 60_000 });
  await slice.focus();
  await slice.press('t');
  const shown = (await tableCells(view.locator('.slice .grid-table table').first()))
    .slice(1)
    .flatMap(([name, text]) => (name ? [text ?? ''] : []));
  const { shape, data } = tensor(oracle, keys);
  const [, T = 0, E = 0] = shape;
  assert.equal(shown.length, E);
  for (const [i, text] of shown.entries()) {
    const value = data[(T - 1) * E + i] ?? Number.NaN;
    assert.ok(Math.abs(parsed(text) - value) < 2e-3 + 2e-3 * Math.abs(value), `${family} k[${i}]: ${text}, reference ${value}`);
  }
}

async function attentionOf(lab: Workbench, { family, attends }: Case): Promise<void> {
  await lab.command('Model Lab: Show Attention');
  const view = await lab.webview('attention');
  if (!attends) await view.getByText(`${family} has no attention`).waitFor({ timeout: 60_000 });
  else await view.getByRole('heading', { name: new RegExp(`of ${family} reads`) }).waitFor({ timeout: 60_000 });
  await assertSound(view, `the attention of ${family}`);
  await lab.screenshot(`families attention ${family}`);
}

uiTest(
  'research families and hybrids: their states and caches are the references’, no view fails',
  { folder: zoo, width: 1500, height: 1000 },
  async (lab) => {
    for (const each of cases) {
      const oracle = await readOracle(path.join(zoo, each.family, 'oracle.safetensors'));
      const words = [...tensor(oracle, 'input_ids').data].map((id) => `w${id}`);
      await promptModel(lab, each.family, words.join(' '), 0);
      await stateOf(lab, each, oracle);
      await attentionOf(lab, each);
      await cacheOf(lab, each, oracle);
    }
    assert.doesNotMatch(lab.log(400), /page: /);
  },
);

// An ε that is not Helium's leaves nothing that tells which pairs turn.
renamed('helium', 'newcomer', (config) => ({ ...config, rms_norm_eps: 1.1e-8 }));
renamed('olmo2', 'riddle', ({ rms_norm_eps, ...config }) => ({ ...config, mup_output_multiplier: 0.5, num_key_value_heads: 4 }));

uiTest(
  'a family known by no name: what was inferred, what is assumed, and what is missing',
  { folder: unknown, width: 1300, height: 900 },
  async (lab) => {
    // a second attempt would find what the first one said
    rmSync(path.join(unknown, '.vscode'), { recursive: true, force: true });
    await lab.openFile('newcomer/model.safetensors');
    const view = await lab.webview('checkpoint', 60_000);
    const section = view.getByRole('region', { name: 'Inferred architecture' });
    await section.waitFor({ timeout: 60_000 });
    const { stdout } = await execute(process.execPath, [cli, 'inspect', path.join(unknown, 'newcomer')], { maxBuffer: 1 << 24 });
    const { inferred } = JSON.parse(stdout) as { inferred: Inference[] };
    assert.match(await section.innerText(), new RegExp(`what ${inferred.length - 1} conclusions`));
    const assumptions = await section.getByRole('list', { name: 'Assumptions' }).getByRole('listitem').allInnerTexts();
    assert.equal(assumptions.length, 1);
    assert.match(assumptions[0] ?? '', /assumed: dimensions i and i \+ half turn together \(.*nothing in the files says it\)/);
    await section.locator('summary').click();
    const shown = (await tableCells(section.getByRole('table', { name: 'Conclusions' }))).slice(1);
    assert.deepEqual(
      shown,
      inferred.filter(({ assumed }) => !assumed).map(({ what, because }) => [what, because]),
    );
    await lab.screenshot('inferred');

    await section.getByRole('button', { name: 'Set "rope_interleave": true' }).click();
    const toast = await lab.toast('takes effect when the Model Lab server restarts');
    await toast.locator('.monaco-button', { hasText: 'Restart' }).click();
    await section.getByText('nothing is assumed').waitFor({ timeout: 60_000 });
    await lab.screenshot('inferred told');

    await lab.command('View: Close All Editors');
    await lab.openFile('riddle/model.safetensors');
    const missing = await eventually(async () => {
      const list = (await lab.webview('checkpoint')).getByRole('list', { name: 'What is missing' });
      await list.waitFor({ timeout: 2000 });
      return list;
    });
    assert.deepEqual(await missing.getByRole('listitem').allInnerTexts(), [
      'num_key_value_heads is 4, but self_attn.k_proj has 12 rows of head_dim 6',
      'neither rms_norm_eps nor layer_norm_eps: RMSNorm or LayerNorm cannot be told',
      'mup_output_multiplier is 0.5, and what it changes is unknown',
    ]);
    await lab.screenshot('inferred refused');
  },
);
