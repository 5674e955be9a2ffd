import assert from 'node:assert/strict';
import path from 'node:path';
import { openCheckpoint } from '../../server/formats/registry.js';
import { Model, type ModelOptions } from '../../server/runtime/model.js';
import { Run } from '../../server/runtime/run.js';
import { argmax } from '../../server/runtime/sampler.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { assertClose } from './oracle.js';

/** Fixtures of transformers' own families. */
export const families: readonly string[] = [
  'gpt2',
  'llama',
  'llama_yarn',
  'mistral',
  'qwen2',
  'qwen3',
  'gemma3_text',
  'gemma2',
  'gpt_neox',
  'phi3',
  'glm',
  'glm4',
  'mixtral',
  'qwen3_moe',
  'gpt_oss',
  'deepseek_v2',
  'deepseek_v3',
  'mamba',
  'falcon_mamba',
  'mamba2',
  'rwkv4',
  'rwkv7',
  'jamba',
  'recurrent_gemma',
  'falcon_h1',
  'qwen3_next',
  'zamba2',
  'xlstm',
];

/** transformers records the residual stream of these behind each block, not before it, and has no embedding among them. */
export const recordedBehind = new Set(['mamba', 'falcon_mamba', 'mamba2', 'rwkv4']);

type Oracle = ReadonlyMap<string, Tensor>;

export interface Opened {
  readonly device: LocalDevice;
  readonly model: Model;
  readonly run: Run;
}

/** A model in this thread with an empty run; `close` the device when done. */
export async function open(file: string, options: Partial<ModelOptions> = {}): Promise<Opened> {
  const device = new LocalDevice();
  const model = await Model.open(await openCheckpoint(path.resolve(file)), { device, threads: 1, ...options });
  return { device, model, run: await Run.create(model) };
}

export const idsOf = (oracle: Oracle, key = 'input_ids'): number[] => [...(oracle.get(key) as Tensor).data];

export const probe = async (run: Run, name: string): Promise<Tensor> => (await run.probes([name])).get(name) as Tensor;

/** [..., rows, cols] → [..., cols, rows]. */
export function transposed({ shape, data }: Tensor): Tensor {
  const [rows, cols] = shape.slice(-2) as [number, number];
  const out = new Float32Array(data.length);
  for (let m = 0; m < data.length; m += rows * cols)
    for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) out[m + c * rows + r] = data[m + r * cols + c] as number;
  return { shape: [...shape.slice(0, -2), cols, rows], data: out };
}

export const stateNames: Record<string, string> = { recurrent_state: 'wkv', attention_shift: 'att_shift' };
/** The reference's recurrent_state is [T,H,E_key,E_value]; ours is [T,H,E_value,E_key]. */
export const stateOf = (name: string, tensor: Tensor): Tensor => (name === 'recurrent_state' ? transposed(tensor) : tensor);

/** Rows of a cache beside the reference's, whose k and v of a latent attention are the latent and the rotary key, as one head. */
async function rowsAs(run: Run, block: number, name: string, expected: Tensor): Promise<[Tensor, Tensor]> {
  const rows = await probe(run, `blocks.${block}.state.${run.model.rowStates(block)[name === 'k' ? 0 : 1]}`);
  return [rows, rows.shape.length === 2 ? { ...expected, shape: expected.shape.slice(1) } : expected];
}

/** A delta rule sums over a chunk in another order than the reference, and what is read behind it is as far from it. */
const patternTolerance = ({ model }: Run): number => (model.layers.some(({ mixer }) => mixer === 'deltanet') ? 2e-5 : 1e-5);

/**
 * Everything a reference says of a prefilled run, in graph order, so that the first failure is where the divergence begins.
 * `hidden`: what its hidden.i is; transformers records Mamba's behind each block.
 */
export async function assertRun(run: Run, oracle: Oracle, hidden: 'resid_pre' | 'resid_post' = 'resid_pre'): Promise<void> {
  const L = run.model.layers.length;
  for (let i = 0; i < L; i++) {
    const entering = oracle.get(`hidden.${i}`);
    if (entering) assertClose(`hidden.${i}`, await probe(run, `blocks.${i}.${hidden}`), entering);
    for (const [key, expected] of oracle) {
      const [kind, layer, name = ''] = key.split('.');
      if (Number(layer) !== i) continue;
      if (kind === 'attn') assertClose(key, await probe(run, `blocks.${i}.attn.pattern`), expected, patternTolerance(run));
      if (kind === 'kv') assertClose(key, ...(await rowsAs(run, i, name, expected)));
      if (kind === 'statet')
        assertClose(key, await probe(run, `blocks.${i}.state.${stateNames[name] ?? name}`), stateOf(name, expected));
    }
  }
  const last = oracle.get(`hidden.${L}`);
  if (last) assertClose(`hidden.${L}`, await probe(run, 'ln_final'), last);
  assertClose('logits', await probe(run, 'logits'), oracle.get('logits') as Tensor);
}

/** The reference's greedy tokens, each decoded from the cache. */
export async function assertDecode(run: Run, oracle: Oracle): Promise<void> {
  const expected = oracle.get('decode.logits');
  if (!expected) return; // some references give only a prefill; decode.test.ts compares the two
  const V = expected.shape[1] as number;
  let next = argmax(await run.logits({ from: run.ids.length - 1, to: run.ids.length }));
  for (const [step, id] of idsOf(oracle, 'decode.ids').entries()) {
    assert.equal(next, id, `greedy token ${step}`);
    const logits = { shape: [V], data: await run.decode(id) };
    assertClose(`decode.logits ${step}`, logits, { shape: [V], data: expected.data.slice(step * V, (step + 1) * V) });
    next = argmax(logits.data);
  }
}

/** More tokens than one chunk, against one forward of the reference. */
export async function assertLong(run: Run, oracle: Oracle): Promise<void> {
  const expected = oracle.get('long.logits') as Tensor;
  await run.prefill(idsOf(oracle, 'long.input_ids'));
  const to = run.ids.length;
  const data = await run.logits({ from: to - (expected.shape[0] as number), to });
  assertClose('long.logits', { shape: expected.shape, data }, expected);
}

/** Ids that repeat nothing for long. */
export const someIds = (n: number, vocab: number): number[] =>
  Array.from({ length: n }, (_, i) => 3 + ((i * i * 31 + i * 17) % (vocab - 3)));
const stateProbes = (run: Run, block: number): string[] =>
  (run.model.layers[block]?.state ?? []).map((s) => `blocks.${block}.state.${s.name}`);

/** Both runs hold the same: residual stream and states of every block, logits. */
export async function assertSame(actual: Run, expected: Run, tolerance = 1e-4): Promise<void> {
  assert.deepEqual(actual.ids, expected.ids);
  for (let i = 0; i < expected.model.layers.length; i++) {
    const names = [`blocks.${i}.resid_pre`, `blocks.${i}.resid_post`, ...stateProbes(expected, i)];
    const [mine, theirs] = [await actual.probes(names), await expected.probes(names)];
    for (const name of names) assertClose(name, mine.get(name) as Tensor, theirs.get(name) as Tensor, tolerance);
    for (const name of stateProbes(expected, i)) {
      const state = (run: Run) => run.stateName(i, name.split('.').at(-1) as string);
      const [live, other] = [
        (await actual.model.device.read([state(actual)])).get(state(actual)),
        (await expected.model.device.read([state(expected)])).get(state(expected)),
      ].map((t) => ({ shape: t?.dims, data: t?.data }) as Tensor) as [Tensor, Tensor];
      assertClose(`live ${name}`, live, other, tolerance);
    }
  }
  const all = { from: 0, to: expected.ids.length };
  const shape = [all.to, expected.model.bound.config.vocab];
  assertClose('logits', { shape, data: await actual.logits(all) }, { shape, data: await expected.logits(all) }, tolerance);
}
