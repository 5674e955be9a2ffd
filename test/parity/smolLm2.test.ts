import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { greedy } from '../../server/commands/usage.js';
import { continuation } from '../../server/continuation.js';
import { openModel, requireTokenizer } from '../../server/open.js';
import { promptIds } from '../../server/prompt.js';
import type { LanguageModel } from '../../server/runtime/languageModel.js';
import { Run } from '../../server/runtime/run.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { sliceAxis } from '../../server/runtime/slices.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { smolLm2 } from '../smolLm2.mjs';
import { assertClose, fixtures, readOracle } from './oracle.js';

interface Prompt {
  readonly prompt: string;
  readonly ids: readonly number[];
  readonly greedy_ids: readonly number[];
}

const file: string | null = smolLm2();
const oracle = JSON.parse(readFileSync(path.join(fixtures, 'smollm2-135m/oracle.json'), 'utf8')) as { prompts: Prompt[] };

test('SmolLM2-135M from its Q4_1 GGUF continues exactly as the reference', {
  skip: file === null && 'the wheel cannot be had',
}, async () => {
  const device = new LocalDevice();
  const open = await openModel(file as string, { device, threads: 2 });
  const tensors = await readOracle('smollm2-135m');
  const L = open.model.layers.length;
  for (const [p, { prompt, ids, greedy_ids }] of oracle.prompts.entries()) {
    const expected = (key: string) => tensors.get(`p${p}.${key}`) as Tensor;
    const prompted = promptIds(requireTokenizer(open), prompt, false);
    assert.deepEqual(prompted, ids);
    const run = await Run.create((open.model as LanguageModel).blocks);
    await run.prefill(prompted);
    const T = ids.length;
    if (p === 0) {
      const block = await run.probes(['blocks.0.state.k', 'blocks.0.state.v']);
      assertClose('k of layer 0', block.get('blocks.0.state.k') as Tensor, expected('k_layer0'));
      assertClose('v of layer 0', block.get('blocks.0.state.v') as Tensor, expected('v_layer0'));
      for (let i = 0; i < L; i++) {
        const probes = await run.probes([`blocks.${i}.resid_pre`, `blocks.${i}.attn.pattern`]);
        const last = sliceAxis(probes.get(`blocks.${i}.resid_pre`) as Tensor, 0, T - 1, T);
        assertClose(`hidden.${i} at the last position`, last, sliceAxis(expected('hidden_last_pos'), 0, i, i + 1), 1e-3);
        const pattern = sliceAxis(expected('attn_full'), 0, i, i + 1);
        // the oracle holds these in half precision
        const attention = { shape: pattern.shape.slice(1), data: pattern.data };
        assertClose(`attention of layer ${i}`, probes.get(`blocks.${i}.attn.pattern`) as Tensor, attention, 5e-4);
      }
      assertClose(
        'logits',
        { shape: [open.model.vocab], data: await run.logits({ from: T - 1, to: T }) },
        expected('logits_last'),
        1e-3,
      );
    }
    const continued: number[] = [];
    for await (const id of continuation(run, greedy_ids.length - T, greedy, open.stop)) continued.push(id);
    assert.deepEqual([...prompted, ...continued], greedy_ids);
    await run.close();
  }
  await open.model.close();
  await device.close();
});
