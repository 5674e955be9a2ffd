import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJson } from '../../server/formats/json.js';

const place = { file: 'config.json', base: 0, code: 'CONFIG_INVALID', what: 'The file' } as const;
const bytes = (text: string) => new TextEncoder().encode(text);

test('a config may hold the Infinity that Python writes, as published Mamba-2 models do', () => {
  const given = bytes('{"näme": "Infinity", "time_step_limit": [0.0, Infinity], "n_groups": 8}');
  const before = given.slice();
  const { value } = parseJson(given, { ...place, infinity: true });
  assert.deepEqual(value, { näme: 'Infinity', time_step_limit: [0, Number.POSITIVE_INFINITY], n_groups: 8 });
  assert.deepEqual(given, before, 'what was given stays as it was');
});

test('everywhere else, and in any other spelling, it is no number', () => {
  for (const text of ['[-Infinity]', '[Infinit]', '[infinity]', '[Infinity1]', '[NaN]'])
    assert.throws(() => parseJson(bytes(text), { ...place, infinity: true }), { code: 'CONFIG_INVALID' }, text);
  assert.throws(() => parseJson(bytes('[Infinity]'), place), { code: 'CONFIG_INVALID' });
});
