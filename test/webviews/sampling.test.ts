import assert from 'node:assert/strict';
import test from 'node:test';
import { FIELDS, placeholders, problemOf, readSampling, UNCHANGED } from '../../webviews/prompt/sampling.js';

const own = { temperature: 0.7, topK: 40, topP: null, seed: null };

test('empty fields are the model’s own sampling', () => {
  assert.deepEqual(readSampling(UNCHANGED, own).sampling, own);
  assert.equal(placeholders(own).temperature, '0.7');
  assert.equal(placeholders(own).topP, '1');
});

test('what is typed goes over it', () => {
  const { sampling, maxTokens } = readSampling({ temperature: '0', topK: '1', topP: '0.9', seed: '7', maxTokens: '0' }, own);
  assert.deepEqual(sampling, { temperature: 0, topK: 1, topP: 0.9, seed: 7 });
  assert.equal(maxTokens, 0);
});

test('what cannot be used is said and not used', () => {
  const wrong = { temperature: '-1', topK: '2.5', topP: '0', seed: 'x', maxTokens: '1e999' };
  for (const field of FIELDS) assert.match(problemOf(field, wrong[field.key]) ?? '', new RegExp(`^${field.label}: `));
  assert.deepEqual(readSampling(wrong, own), readSampling(UNCHANGED, own));
});
