import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOptions } from '../../server/options.js';

test('settings that are as package.json says are taken, 0 and none are the default', () => {
  const args = [
    '--threads',
    '3',
    '--sessions',
    '0',
    '--dtype',
    'int4',
    '--memory',
    '2000000000',
    '--config',
    '{"a":{"b":1}}',
    '--node-ipc',
  ];
  const { options, refused } = parseOptions(args);
  const { threads, sessions, provider, dtype, memoryLimit, runsMemory, config } = options;
  assert.deepEqual(
    { threads, sessions, provider, dtype, memoryLimit, runsMemory, config },
    {
      threads: 3,
      sessions: null,
      provider: 'cpu',
      dtype: 'int4',
      memoryLimit: 2e9,
      runsMemory: null,
      config: { a: { b: 1 } },
    },
  );
  assert.deepEqual(refused, []);
});

test('a setting that means nothing is its default, and told by name', () => {
  const wrong = { threads: '1000000', sessions: '1.5', provider: 'gpu', dtype: 'int5', memory: '-1', runs: 'NaN', config: '[1]' };
  const { options, refused } = parseOptions(Object.entries(wrong).flatMap(([name, value]) => [`--${name}=${value}`]));
  assert.deepEqual(
    refused.map(({ code, message }) => `${code} ${/^modelLab\.([\w.]+) is /.exec(message)?.[1]}`).sort(),
    ['config', 'dtype', 'memory.limit', 'memory.runs', 'provider', 'server.sessions', 'server.threads'].map(
      (name) => `SETTING_INVALID ${name}`,
    ),
  );
  assert.deepEqual(options, parseOptions([]).options);
});
