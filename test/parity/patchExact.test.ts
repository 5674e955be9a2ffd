import path from 'node:path';
import { test } from 'node:test';
import { type Exact, exact } from '../../server/graph/exact/tensor.js';
import { interpret } from '../../server/graph/interpreter.js';
import { buildSegment } from '../../server/graph/segment.js';
import { patch } from '../../server/runtime/patch.js';
import { noise, type Subject, subject, whole } from '../graph/segments.js';
import { assertClose, fixtures, readOracle } from './oracle.js';
import { idsOf, open, probe } from './reference.js';

const single = ({ shape, data }: Exact) => ({ shape, data: Float32Array.from(data) });

/** Logits of one pass in double precision from the first token on; `change` has batch axes. */
function exactLogits(s: Subject, ids: readonly number[], name: string, change: { scale: Exact; shift: Exact }): Exact {
  const { graph } = buildSegment(s.bound, { ...whole(s), interventions: new Set([name]) });
  const given: Record<string, Exact> = {
    tokens: exact([1, ids.length], ids),
    past: exact([1], [0]),
    [`${name}.scale`]: change.scale,
    [`${name}.shift`]: change.shift,
  };
  // nothing is kept yet; a kv array has room for one row all the same
  const zeros = (shape: readonly (number | string)[]) =>
    noise(
      0,
      shape.map((d) => (typeof d === 'number' ? d : 1)),
      0,
    );
  for (const { name: input, dtype, shape } of graph.inputs) given[input] ??= dtype === 'i64' ? exact([1], [0]) : zeros(shape);
  return interpret(graph, given, s.weight).get('logits') as Exact;
}

/** With a batch axis, and before the keys of a pattern the column of the empty row, where any change must be without effect. */
function batched({ shape, data }: Exact, name: string): Exact {
  const width = shape.at(-1) as number;
  if (!/attn\.(\w+\.)?(pattern|scores)$/.test(name) || width === 1) return { shape: [1, ...shape], data };
  const rows = Array.from({ length: data.length / width }, (_, row) => [7, ...data.subarray(row * width, (row + 1) * width)]);
  return exact([1, ...shape.slice(0, -1), width + 1], rows.flat());
}

const changes: Readonly<Record<string, readonly string[]>> = {
  gpt2: ['embed', 'blocks.0.attn.pattern', 'blocks.1.resid_mid', 'ln_final'],
  gemma3_text: ['blocks.1.attn.z', 'blocks.2.attn.scores'],
  mixtral: ['blocks.1.attn.v', 'blocks.1.mlp.out'],
  mamba: ['blocks.0.mixer.decay', 'blocks.1.mixer.conv'],
  rwkv7: ['blocks.0.time_mix.v', 'blocks.1.time_mix.w'],
  megalodon: ['blocks.0.attn.scores', 'blocks.0.mixer.y', 'blocks.1.attn.pattern', 'blocks.1.norm.mean'],
  nsa: [
    'blocks.0.attn.cmp.pattern',
    'blocks.0.attn.importance',
    'blocks.1.attn.win.scores',
    'blocks.1.attn.gates',
    'blocks.0.attn.slc.v',
  ],
  '../oracles_inferred/cohere2': ['blocks.0.attn.rot_k', 'blocks.1.attn.pattern', 'blocks.2.mlp.out'],
  '../oracles_inferred/granitemoeshared': ['blocks.0.router.logits', 'blocks.1.mlp.shared', 'ln_final'],
  ttt_linear: ['blocks.0.mixer.eta', 'blocks.0.mixer.k', 'blocks.1.mixer.y'],
};

for (const [family, names] of Object.entries(changes))
  test(`${path.basename(family)}: a patched run is the exact model with that value changed`, async () => {
    const s = await subject(family);
    const { device, run } = await open(path.join(fixtures, family));
    const ids = idsOf(await readOracle(family)).slice(0, 12);
    await run.prefill(ids);
    for (const name of names) {
      const { shape } = await probe(run, name);
      const [scale, shift] = [noise(5, shape, 0.5), noise(6, [...shape.slice(0, -1), 1], 0.3)];
      const expected = exactLogits(s, ids, name, { scale: batched(scale, name), shift: batched(shift, name) });
      const patched = await patch(run, [{ probe: name, scale: single(scale), shift: single(shift) }]);
      assertClose(name, patched, { shape: expected.shape.slice(1), data: Float32Array.from(expected.data) });
    }
    await device.close();
    await s.store.close();
  });
