import path from 'node:path';
import type { Frame } from 'playwright-core';
import { openCheckpoint } from '../../../server/formats/registry.js';
import { createTokenizer } from '../../../server/tokenizer/registry.js';
import { type OracleTensor, readOracle } from '../../fixtures/readOracle.js';
import { root } from '../codeServer.js';
import { settled, type Workbench } from '../ui.js';

export interface Oracle {
  /** Decodes to `ids` exactly. */
  readonly prompt: string;
  readonly ids: readonly number[];
  tensor(name: string): OracleTensor;
  /** Bytes that a token stands for. */
  bytes(id: number): number;
}

/** −log2 p of every token after the first, from the reference's logits. */
export function surprisals({ ids, tensor }: Oracle): number[] {
  return ids.slice(1).map((id, t) => -Math.log2(probabilities(tensor('logits'), t)[id] ?? Number.NaN));
}

/** softmax of row `t` of [T,V], in double precision. */
export function probabilities({ shape, data }: OracleTensor, t: number): number[] {
  const vocab = shape[1] ?? 0;
  const row = Array.from(data.subarray(t * vocab, (t + 1) * vocab));
  const most = Math.max(...row);
  const exps = row.map((logit) => Math.exp(logit - most));
  const sum = exps.reduce((total, value) => total + value, 0);
  return exps.map((value) => value / sum);
}

/** The reference run of an embedded model, made by another implementation. */
export async function oracleOf(model: string): Promise<Oracle> {
  const tensors = await readOracle(path.join(root, 'test/fixtures/oracles', model, 'oracle.safetensors'));
  const tensor = (name: string): OracleTensor => {
    const found = tensors.get(name);
    if (!found) throw new Error(`the oracle of ${model} has no ${name}`);
    return found;
  };
  const ids = Array.from(tensor('input_ids').data);
  const { tokenizer: source } = await openCheckpoint(path.join(root, 'media/models', model));
  if (!source) throw new Error(`${model} has no tokenizer`);
  const tokenizer = await createTokenizer(source);
  return { prompt: tokenizer.decode(ids), ids, tensor, bytes: (id) => tokenizer.bytes(id).length };
}

/** Writes a prompt into the side bar, chooses a model, runs it with the keyboard and waits until it is done. */
export async function promptModel(lab: Workbench, model: string, prompt: string, newTokens = 4): Promise<Frame> {
  await lab.showSideBar();
  const view = await lab.webview('prompt');
  await chooseModel(view, model);
  if (!(await view.locator('.sampling').isVisible())) await view.locator('vscode-button[aria-label=Sampling]').click();
  await view.locator('vscode-text-field', { hasText: 'Temperature' }).locator('input').fill('0');
  await view.locator('vscode-text-field', { hasText: 'New tokens' }).locator('input').fill(String(newTokens));
  const box = view.locator('vscode-text-area textarea');
  await box.fill(prompt);
  const flow = view.locator('.flow');
  const before = (await flow.count()) > 0 ? await flow.getAttribute('data-run') : null;
  await box.press('Control+Enter');
  await view.locator(before === null ? '.flow' : `.flow:not([data-run="${before}"])`).waitFor();
  await view.getByRole('button', { name: 'Run', exact: true }).waitFor({ timeout: 60_000 });
  return view;
}

/** An open view without a run, which its own button fills; and how many tokens the run has when it is over. */
export async function filled(lab: Workbench, id: string): Promise<{ readonly view: Frame; readonly tokens: number }> {
  const view = await lab.webview(id);
  await view.getByRole('button', { name: 'Prompt an embedded model' }).click();
  await lab.showSideBar();
  const side = await lab.webview('prompt');
  await side.locator('.flow').waitFor();
  await side.getByRole('button', { name: 'Run', exact: true }).waitFor();
  await settled(view);
  return { view, tokens: await side.locator('.flow .token').count() };
}

async function chooseModel(view: Frame, model: string): Promise<void> {
  const box = view.locator('vscode-dropdown[aria-label=Model]');
  await box.click();
  await box.locator('vscode-option', { hasText: model }).click();
  await view.locator('.model-state', { hasText: 'loaded' }).waitFor({ timeout: 60_000 });
}
