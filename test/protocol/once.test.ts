import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OnceByKey, once } from '../../server/protocol/once.js';

test('those who ask at once share one answer, and it is kept', async () => {
  let asked = 0;
  const answer = once(async () => ++asked);
  assert.deepEqual(await Promise.all([answer(), answer()]), [1, 1]);
  assert.equal(await answer(), 1);
});

test('a failure reaches all who wait for it and nobody after them', async () => {
  let asked = 0;
  const answer = once(async () => {
    if (++asked === 1) throw new RangeError('not yet');
    return asked;
  });
  const both = await Promise.allSettled([answer(), answer()]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.equal(await answer(), 2);
});

test('the key that nobody asked for longest goes first, and what is drained is all that did not fail', async () => {
  const gone: string[] = [];
  const kept = new OnceByKey<string>(2, (old) => void old.then((name) => gone.push(name)));
  const get = (key: string) => kept.get(key, async () => key);
  await get('a');
  await get('b');
  await get('a');
  await get('c');
  assert.deepEqual(gone, ['b']);
  await kept.get('d', () => Promise.reject(new RangeError('never'))).catch(() => undefined);
  assert.deepEqual(await kept.drain(), ['c']);
  assert.deepEqual(await kept.drain(), []);
});
