/** `hub preview`, `hub download` and hf:// paths on the command line. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { HubPreview } from '../../server/protocol/hub.js';
import { type Output, outputOf } from './output.js';
import { COMMIT, TestHub } from './server.js';

const root = path.resolve(import.meta.dirname, '../..');
const llama = path.join(root, 'media/models/tiny-llama');
const hub = new TestHub({
  'lab/tiny-llama': { files: Object.fromEntries(readdirSync(llama).map((name) => [name, readFileSync(path.join(llama, name))])) },
});
const home = mkdtempSync(path.join(tmpdir(), 'model-lab-hub-cli-'));
before(() => hub.start());
after(() => {
  hub.stop();
  rmSync(home, { recursive: true, force: true });
});

function cli(...args: string[]): Promise<Output> {
  const env = { ...process.env, HF_ENDPOINT: hub.url, HF_HOME: home };
  return outputOf(spawn(process.execPath, ['--import', 'tsx', 'server/cli.ts', ...args], { cwd: root, env }));
}

async function ok(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await cli(...args);
  assert.equal(status, 0, stderr);
  return stdout;
}

test('a preview, a header and tokens without a download', async () => {
  const preview: HubPreview = JSON.parse(await ok('hub', 'preview', `${hub.url}/lab/tiny-llama/tree/main`));
  assert.deepEqual([preview.commit, preview.summary?.architecture, preview.variants.length], [COMMIT, 'llama', 1]);
  const inspected = JSON.parse(await ok('inspect', 'hf://lab/tiny-llama'));
  assert.deepEqual([inspected.architecture, inspected.layers.length], ['llama', 5]);
  const local = JSON.parse(await ok('tokenize', llama, '--text', 'Anna has a kite.'));
  assert.deepEqual(JSON.parse(await ok('tokenize', 'hf://lab/tiny-llama', '--text', 'Anna has a kite.')).ids, local.ids);
  assert.ok(!readdirSync(home).includes('hub'));
});

test('a download prints where it is, and hf:// runs from there', async () => {
  const folder = (await ok('hub', 'download', 'lab/tiny-llama', '--revision', 'main')).trim();
  assert.equal(folder, path.join(home, 'hub', 'models--lab--tiny-llama', 'snapshots', COMMIT));
  const prompt = ['--prompt', 'Once upon', '--max', '3'];
  hub.asked.length = 0;
  assert.equal(await ok('generate', 'hf://lab/tiny-llama@main', ...prompt), await ok('generate', llama, ...prompt));
  assert.ok(hub.asked.every(({ url }) => url.startsWith('/api/')));
});

test('single files by name', async () => {
  const folder = (
    await ok('hub', 'download', 'lab/tiny-llama', '--revision', 'refs/pr/1', '--file', 'config.json', '--file', 'README.md')
  ).trim();
  assert.deepEqual(readdirSync(folder).sort(), ['README.md', 'config.json']);
});

test('what goes wrong is coded', async () => {
  for (const [args, code] of [
    [['hub', 'preview', 'lab/none'], 'HUB_NOT_FOUND'],
    [['hub', 'preview', 'not a name'], 'HUB_REFERENCE'],
    [['hub', 'delete', 'lab/none'], 'USAGE'],
    [['hub', 'preview'], 'USAGE'],
    [['run', 'hf://lab/none', '--prompt', 'x', '--out', 'x'], 'HUB_NOT_FOUND'],
  ] as const) {
    const { status, stderr } = await cli(...args);
    assert.equal(status, 2);
    assert.match(stderr, new RegExp(`^error\\[${code}\\]: `), args.join(' '));
  }
});
