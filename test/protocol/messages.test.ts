import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accepts, isHostMethod, parseToHost } from '../../extension/messages.js';

test('whole messages pass as they are', () => {
  const request = { kind: 'request', id: 3, method: 'attention/row', params: { run: 'r', layer: 0, head: 1, query: 2 } };
  assert.deepEqual(parseToHost(request), request);
  assert.deepEqual(parseToHost({ kind: 'cancel', id: 0 }), { kind: 'cancel', id: 0 });
  assert.deepEqual(parseToHost({ kind: 'ready' }), { kind: 'ready' });
  assert.deepEqual(parseToHost({ ...request, method: 'host/pickModel', params: null })?.kind, 'request');
});

test('anything else is dropped', () => {
  const request = { kind: 'request', id: 3, method: 'attention/row', params: {} };
  for (const message of [
    undefined,
    null,
    'ready',
    [],
    {},
    { kind: 'eval', code: '1' },
    { kind: 'cancel' },
    { kind: 'cancel', id: -1 },
    { ...request, id: '3' },
    { ...request, id: 1.5 },
    { ...request, id: Number.NaN },
    { ...request, method: undefined },
    { ...request, method: 'constructor' },
    { ...request, method: 'attention/row; drop' },
    { ...request, method: '__proto__/x' },
    { ...request, params: undefined },
    { ...request, params: 'x' },
    { ...request, params: [] },
  ]) {
    assert.equal(parseToHost(message), null, JSON.stringify(message));
  }
});

test('host requests check their params', () => {
  assert.ok(accepts['host/select']({ run: 'r', token: null, layer: 2 }));
  assert.ok(accepts['host/select']({}));
  assert.ok(!accepts['host/select']({ layer: -1 }));
  assert.ok(!accepts['host/select']({ run: 1 }));
  assert.ok(!accepts['host/select']({ run: 'r', __proto__x: 1 }));
  assert.ok(accepts['host/showInspector']({ inspector: 'state' }));
  assert.ok(!accepts['host/showInspector']({ inspector: 'shell' }));
  assert.ok(accepts['host/copyCommand']({ run: 'r', probes: ['logits'] }));
  assert.ok(!accepts['host/copyCommand']({ run: 'r', probes: [1] }));
  assert.ok(!accepts['host/copyCommand']({ run: 'r' }));
  assert.ok(accepts['host/showError']({ code: 'X', message: 'm', hint: 'h' }));
  assert.ok(!accepts['host/showError']({ code: 'X', message: 'm' }));
  assert.ok(!accepts['host/restartServer']({}));
});

test('only the methods of the host are the host’s', () => {
  assert.ok(isHostMethod('host/select'));
  for (const method of ['host/exec', 'models/open', 'toString', '__proto__']) assert.ok(!isHostMethod(method));
});
