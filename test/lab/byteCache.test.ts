import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteCache } from '../../server/lab/byteCache.js';

const floats = (n: number) => [new Float32Array(n), 4 * n] as const;

test('what was not used for longest goes first, and bytes never exceed the limit', () => {
  const cache = new ByteCache(40);
  cache.set('a', ...floats(4));
  cache.set('b', ...floats(4));
  cache.get('a');
  cache.set('c', ...floats(4));
  assert.deepEqual(
    ['a', 'b', 'c'].map((key) => cache.get(key) !== undefined),
    [true, false, true],
  );
  assert.equal(cache.bytes, 32);
});

test('what alone is above the limit is not kept, nor what it would replace', () => {
  const cache = new ByteCache(40);
  cache.set('a', ...floats(4));
  cache.set('a', ...floats(11));
  assert.equal(cache.get('a'), undefined);
  assert.equal(cache.bytes, 0);
});

test('setting a key again counts it once, and a prefix goes as a whole', () => {
  const cache = new ByteCache(1000);
  for (const key of ['r1/x', 'r1/x', 'r1/y', 'r10/x']) cache.set(key, ...floats(2));
  assert.equal(cache.bytes, 24);
  cache.deletePrefix('r1/');
  assert.equal(cache.bytes, 8);
  assert.ok(cache.get('r10/x'));
});
