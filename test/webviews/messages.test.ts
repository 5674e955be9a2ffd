import assert from 'node:assert/strict';
import test from 'node:test';
import { parseFromHost } from '../../webviews/messages.js';

const selection = { run: null, token: 3, layer: 0, head: 1 };
const error = { code: 'CANCELLED', message: 'The request was cancelled.', hint: 'Run it again.' };

test('whole messages pass as they are', () => {
  const messages = [
    { kind: 'result', id: 1, result: null },
    { kind: 'error', id: 1, error },
    { kind: 'progress', id: 1, done: 0, total: 3, what: 'blocks' },
    { kind: 'event', event: 'runs/removed', payload: { run: 'r' } },
    { kind: 'selection', selection },
    { kind: 'server', status: 'restarting' },
  ];
  for (const message of messages) assert.equal(parseFromHost(message), message);
});

test('anything else is dropped', () => {
  const malformed: unknown[] = [
    null,
    'result',
    [],
    {},
    { kind: 'unknown' },
    { kind: 'result', id: '1', result: 1 },
    { kind: 'result', id: 1 },
    { kind: 'error', id: 1, error: { code: 1, message: '', hint: '' } },
    { kind: 'progress', id: 1, done: Number.NaN, total: 3, what: '' },
    { kind: 'event', event: 'runs/removed', payload: null },
    { kind: 'selection', selection: { ...selection, layer: -1 } },
    { kind: 'selection', selection: { ...selection, run: 5 } },
    { kind: 'server', status: 'asleep' },
  ];
  for (const message of malformed) assert.equal(parseFromHost(message), null, JSON.stringify(message));
});
