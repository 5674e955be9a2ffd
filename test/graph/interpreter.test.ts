import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import type { Exact } from '../../server/graph/exact/tensor.js';
import { interpret } from '../../server/graph/interpreter.js';
import { prune } from '../../server/graph/ir.js';
import type { HostTensor } from '../../server/runtime/elements.js';
import { assertClose } from '../parity/oracle.js';
import { allProbes, both, families, inferredFamilies, inputsOf, noise, type Subject, subject } from './segments.js';

/** Recurrences divide by sums and norm differences, in blocks without a residual stream around them too. */
const recurs = ({ bound: { architecture, config } }: Subject): boolean =>
  Array.from({ length: config.layers }, (_, i) => architecture.state(config, i))
    .flat()
    .some(({ kind }) => kind !== 'kv');

/** Every output, in graph order. Single precision accumulates about 1e-6 a block. */
function assertBoth(results: ReadonlyMap<string, readonly [Exact, HostTensor]>, tolerance = 1e-5): void {
  for (const [name, [x, single]] of results)
    assertClose(
      name,
      { shape: single.dims, data: single.data as Float32Array },
      { shape: x.shape, data: Float32Array.from(x.data) },
      tolerance,
    );
}

for (const family of [...families, ...inferredFamilies])
  for (const prepack of [true, false])
    test(`${path.basename(family)}: ONNX Runtime computes what the graph says (${prepack ? 'generating' : 'inspecting'})`, async () => {
      const s = await subject(family);
      const graph = allProbes(s);
      assertBoth(await both(s, graph, inputsOf(s, graph), prepack), recurs(s) || squares(s) ? 1e-4 : 1e-5);
      await s.store.close();
    });

/** A squared ReLU doubles what rounding leaves of large values. */
const squares = ({ bound: { config } }: Subject): boolean => 'act' in config && config.act === 'relu2';

/** Probes on the way to the logits of block 1; each changes them. */
const places: Readonly<Record<string, readonly string[]>> = {
  gpt2: ['attn.q', 'attn.pattern', 'attn.z', 'resid_mid', 'mlp.post'],
  llama: ['ln1', 'attn.k', 'attn.v', 'attn.rot_q', 'attn.scores', 'attn.pattern', 'attn.z', 'attn.out', 'resid_mid', 'mlp.pre'],
  gemma3_text: ['attn.rot_k', 'attn.pattern', 'attn.z', 'resid_mid', 'mlp.out', 'resid_post'],
  mamba: ['mixer.conv', 'mixer.delta', 'mixer.B', 'mixer.C', 'mixer.decay', 'mixer.write', 'mixer.y', 'mixer.gate', 'resid_post'],
  rwkv7: [
    'time_mix.r',
    'time_mix.w',
    'time_mix.a',
    'time_mix.k',
    'time_mix.v',
    'time_mix.kappa',
    'time_mix.g',
    'channel_mix.k',
    'resid_mid',
  ],
  megalodon: [
    'norm.share',
    'norm.mean',
    'mixer.skip',
    'mixer.y',
    'attn.q',
    'attn.k',
    'attn.v',
    'attn.pattern',
    'attn.gate',
    'resid_mid',
  ],
  nsa: [
    'attn.q',
    'attn.rot_q',
    'attn.cmp.scores',
    'attn.slc.k',
    'attn.slc.pattern',
    'attn.win.v',
    'attn.win.z',
    'attn.gates',
    'attn.z',
  ],
  ttt_mlp: ['mixer.q', 'mixer.k', 'mixer.v', 'mixer.eta', 'mixer.rate', 'mixer.y', 'resid_mid'],
};

/** NAME.scale, about 1, varies by the last axis, NAME.shift by every element. */
async function change(s: Subject, name: string) {
  const graph = allProbes(s, [name]);
  const plain = allProbes(s);
  const untouched = interpret(plain, inputsOf(s, plain), s.weight);
  const { shape } = untouched.get(name) as Exact;
  const { data } = noise(11, shape.slice(-1), 0.4);
  const scale = { shape: shape.map((d, axis) => (axis === shape.length - 1 ? d : 1)), data: data.map((x) => Math.fround(1 + x)) };
  const given = { [`${name}.scale`]: scale, [`${name}.shift`]: noise(12, shape, 0.2) };
  const results = await both(s, graph, inputsOf(s, graph, given));
  return { results, untouched };
}

for (const [family, names] of Object.entries(places))
  test(`${family}: an intervention is value · scale + shift, and everything behind it follows`, async () => {
    const s = await subject(family);
    for (const place of names) {
      const { results, untouched } = await change(s, `blocks.1.${place}`);
      assertBoth(results);
      const [logits, before] = [results.get('logits')?.[0] as Exact, untouched.get('logits') as Exact];
      assert.ok(
        logits.data.some((x, i) => Math.abs(x - (before.data[i] as number)) > 1e-3),
        `${place} moves the logits`,
      );
    }
    await s.store.close();
  });

test('a pruned graph computes the same and needs only its own inputs', async () => {
  const s = await subject('gemma3_text');
  const graph = allProbes(s);
  const inputs = inputsOf(s, graph);
  const expected = interpret(graph, inputs, s.weight);
  for (const name of ['blocks.0.attn.pattern', 'blocks.1.resid_mid', 'blocks.2.state.v', 'logits']) {
    const pruned = prune(graph, [name]);
    const only = Object.fromEntries(pruned.inputs.map((v) => [v.name, inputs[v.name] as Exact]));
    assert.deepEqual(interpret(pruned, only, s.weight).get(name), expected.get(name));
  }
  assert.ok(!prune(graph, ['blocks.0.resid_mid']).inputs.some((v) => v.name.startsWith('blocks.1.')));
  await s.store.close();
});

test('a value of another shape than declared is found at its place', async () => {
  const s = await subject('llama');
  const graph = allProbes(s);
  const inputs = { ...inputsOf(s, graph), 'blocks.0.state.k.past': noise(1, [1, 2, 4, 9]) };
  assert.throws(() => interpret(graph, inputs, s.weight), /blocks\.0\.state\.k\.past is \[1,2,4,9\]/);
  await s.store.close();
});
