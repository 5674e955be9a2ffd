import assert from 'node:assert/strict';
import test from 'node:test';
import type { LayerSummary } from '../../server/protocol/models.js';
import type { RunDetail } from '../../server/protocol/runs.js';
import { figures, memoryOf, surpriseOf } from '../../webviews/compare/figures.js';
import { tokensOf } from './tokens.js';

test('loss by byte and by UTF-16 unit does not depend on how the text is cut', () => {
  const text = 'the é 风筝 🪁.';
  const kite = Array.from(new TextEncoder().encode('🪁'));
  const cuts = [
    tokensOf(['<', 'the', ' é', ' 风', '筝', ' 🪁', '.'], 0.5),
    tokensOf(['<', 'the é', ' 风筝 ', kite.slice(0, 1), kite.slice(1, 3), kite.slice(3), '.'], 0.5),
  ];
  for (const tokenInfos of cuts) {
    const bits = tokenInfos.length - 1;
    const surprise = surpriseOf({ tokenInfos });
    assert.ok(surprise);
    assert.equal(surprise.perByte, bits / new TextEncoder().encode(text).length);
    assert.equal(surprise.perUnit, bits / text.length);
  }
});

test('a prompt that was taken over from another run is not compared by the time it took', () => {
  const { prefill, ...rest } = figuresOf(24);
  assert.deepEqual(prefill, { text: 'reused 24 tokens', size: null });
  assert.deepEqual(rest.prompt, { text: '1,092 tokens', size: 1092 });
  assert.deepEqual(figuresOf(0).prefill, { text: '12 ms', size: 12 });
});

function figuresOf(reused: number): Record<string, { text: string; size: number | null }> {
  const run = { tokenInfos: [], promptTokens: 1092, prefillMs: 12, tokensPerSecond: null, reused } as unknown as RunDetail;
  return Object.fromEntries(figures(run, null).map(({ name, text, size }) => [name, { text, size }]));
}

test('a prompt of one token has no loss', () => {
  assert.equal(surpriseOf({ tokenInfos: tokensOf(['a']) }), null);
});

const layer = (state: LayerSummary['state']): LayerSummary => ({
  index: 0,
  mixer: 'attention',
  heads: 1,
  kvHeads: 1,
  headDim: 8,
  window: null,
  state,
});
const piece = { name: 'k', kind: 'kv' as const, shape: [1, 'S' as const, 8], bytesFixed: 0, bytesPerToken: 32 };

test('a cache grows until its window is full, a recurrent state never', () => {
  const full = layer([{ ...piece, keeps: null }]);
  const windowed = layer([{ ...piece, keeps: 10 }]);
  const recurrent = layer([
    { ...piece, name: 'ssm', kind: 'matrix', shape: [8, 8], bytesFixed: 256, bytesPerToken: 0, keeps: null },
  ]);
  assert.deepEqual(memoryOf({ layers: [full, windowed] }, 4), { now: 2 * 4 * 32, perToken: 64 });
  assert.deepEqual(memoryOf({ layers: [full, windowed] }, 100), { now: 100 * 32 + 10 * 32, perToken: 32 });
  assert.deepEqual(memoryOf({ layers: [recurrent] }, 100), { now: 256, perToken: 0 });
});
