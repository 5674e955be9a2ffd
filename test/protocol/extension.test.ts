import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Crashes } from '../../extension/crashes.js';
import { formatBytes } from '../../extension/format.js';
import { chooseNode } from '../../extension/node.js';
import { code } from '../code.js';

const MINUTE = 60_000;

test('a server is started again after four crashes in three minutes, not after five', () => {
  const crashes = new Crashes();
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((s) => crashes.record(s * 1000)),
    [true, true, true, true, false],
  );
});

test('old crashes are forgiven', () => {
  const crashes = new Crashes();
  for (let minute = 0; minute < 20; minute++) assert.equal(crashes.record(minute * MINUTE), true);
});

test('the node of the setting is used when it is new enough', async () => {
  const { execPath, version, warning } = await chooseNode(process.execPath);
  assert.deepEqual([execPath, version, warning], [process.execPath, process.version, null]);
});

test('a setting that names no node, or no program, is an error', async () => {
  await assert.rejects(chooseNode('/nowhere/node'), code('NODE_UNUSABLE'));
  await assert.rejects(chooseNode('/bin/echo'), code('NODE_UNUSABLE'));
});

test('without a setting or a node on PATH, the editor’s own is used', async () => {
  const { PATH } = process.env;
  process.env.PATH = '/nowhere';
  try {
    assert.equal((await chooseNode('')).execPath, process.execPath);
  } finally {
    process.env.PATH = PATH;
  }
});

test('bytes in decimal units', () => {
  const texts = [0, 999, 1000, 7_400_000, 123_456_789, 2.5e12].map(formatBytes);
  assert.deepEqual(texts, ['0 bytes', '999 bytes', '1.0 kB', '7.4 MB', '123 MB', '2.5 TB']);
});
