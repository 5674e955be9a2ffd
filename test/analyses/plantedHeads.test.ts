import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { thumbnails } from '../../server/analyses/attentionOverview.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { createRunView } from '../../server/lab/runView.js';
import { Model } from '../../server/runtime/model.js';
import { Run } from '../../server/runtime/run.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { alone } from '../../server/runtime/view.js';
import { constructedRun, freshMemo } from './constructed.js';

/** The card of tiny-llama names heads that were trained to look at the previous token, and at the token after an earlier copy. */
const PREVIOUS = ['0.0', '1.3'];
const INDUCTION = ['2.0', '2.3', '3.1'];

test('the scores find the heads that the card of tiny-llama names', async () => {
  const device = new LocalDevice();
  const folder = path.resolve(import.meta.dirname, '../../media/models/tiny-llama');
  const model = await Model.open(await openCheckpoint(folder), { device, threads: 1 });
  const list = Array.from({ length: 40 }, (_, i) => 300 + ((i * i * 31 + i * 17) % 2500));
  const ids = [...list, ...list];
  const engine = await Run.create(model);
  await engine.prefill(ids);
  const { id, recipe, model: info } = constructedRun(ids, [], {});
  const view = createRunView({ id, recipe, model: info, engine }, freshMemo(0));
  const heads: { readonly name: string; readonly induction: number; readonly previous: number }[] = [];
  for (const { index: layer } of model.layers) {
    const { scores } = await thumbnails(view, { layer, count: ids.length, sample: false }, alone);
    heads.push(...(scores ?? []).map((score, head) => ({ name: `${layer}.${head}`, ...score })));
  }
  const best = (score: 'induction' | 'previous', count: number) =>
    heads
      .toSorted((a, b) => b[score] - a[score])
      .slice(0, count)
      .map((head) => head.name)
      .sort();
  assert.deepEqual(best('previous', 2), PREVIOUS);
  assert.deepEqual(best('induction', 3), INDUCTION);
  await device.close();
});
