/** What is between a person and the Hub: proxies, certificates, a disk that is full, file systems without links. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs, { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { proxyFor } from '../../server/hub/proxy.js';
import { HubModels } from '../../server/lab/hubModels.js';
import { type Output, outputOf } from './output.js';
import { TestProxy } from './proxy.js';
import { CERTIFICATE, COMMIT, TestHub, TOKEN } from './server.js';

const root = path.resolve(import.meta.dirname, '../..');
const llama = path.join(root, 'media/models/tiny-llama');
const blob = new Uint8Array(3_000_000).map((_, i) => (i * 2654435761) >>> 24);
const repos = {
  'lab/tiny-llama': { files: Object.fromEntries(readdirSync(llama).map((name) => [name, readFileSync(path.join(llama, name))])) },
  'lab/big': { files: { 'config.json': Buffer.from('{}'), 'model.safetensors': blob } },
};
/** Behind the proxy: nobody but it knows the host. */
const far = new TestHub(repos, { host: 'hub.test', https: false });
const secure = new TestHub(repos, { host: 'hub.test', https: true });
const unsigned = new TestHub(repos, { host: '127.0.0.1', https: true });
const near = new TestHub(repos);
const proxy = new TestProxy();
const home = mkdtempSync(path.join(tmpdir(), 'model-lab-network-'));
const saved = { ...process.env };
const never = new AbortController().signal;
const PROXIES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [name, name.toLowerCase()]);

before(() => Promise.all([far, secure, unsigned, near, proxy].map((each) => each.start())));
after(() => {
  for (const each of [far, secure, unsigned, near, proxy]) each.stop();
  rmSync(home, { recursive: true, force: true });
});
beforeEach(() => {
  process.env.HF_HOME = mkdtempSync(path.join(home, 'home-'));
  for (const name of ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'HF_TOKEN', 'HF_TOKEN_PATH', 'HF_HUB_OFFLINE', ...PROXIES])
    delete process.env[name];
  proxy.credentials = null;
  proxy.passed.length = 0;
});
afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in saved)) delete process.env[name];
  Object.assign(process.env, saved);
});

const preview = (hub: TestHub) => {
  process.env.HF_ENDPOINT = hub.url;
  return new HubModels().preview('lab/tiny-llama', null, null, never);
};
const download = (repo: string) => new HubModels().download(repo, null, null, never, () => undefined);
const told = (code: string, message: RegExp, hint: RegExp) => (error: { code: string; message: string; hint: string }) => {
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  assert.match(error.hint, hint);
  return true;
};

/** The command line in a process of its own: `before` is what the shell does first. */
function cli(env: Readonly<Record<string, string>>, args: readonly string[], before = ''): Promise<Output> {
  const command = [process.execPath, '--import', 'tsx', 'server/cli.ts', ...args].map((word) => `'${word}'`).join(' ');
  return outputOf(spawn('sh', ['-c', `${before} exec ${command}`], { cwd: root, env: { ...process.env, ...env } }));
}

test('which proxy an address takes', () => {
  const of = (url: string, env: Record<string, string>) => proxyFor(new URL(url), env)?.href ?? null;
  const env = { HTTPS_PROXY: 'http://a:1', http_proxy: 'b:2', NO_PROXY: 'example.com, .local other:8443' };
  assert.equal(of('https://huggingface.co/x', env), 'http://a:1/');
  assert.equal(of('http://huggingface.co', env), 'http://b:2/');
  assert.equal(of('https://huggingface.co', { ALL_PROXY: 'https://c' }), 'https://c/');
  for (const exempt of [
    'https://example.com',
    'https://a.example.com',
    'http://x.local',
    'https://other:8443',
    'https://127.0.0.1:9',
    'http://localhost',
  ])
    assert.equal(of(exempt, env), null, exempt);
  for (const other of ['https://notexample.com', 'https://other', 'https://other:8444'])
    assert.equal(of(other, env), 'http://a:1/', other);
  assert.equal(of('https://huggingface.co', { HTTPS_PROXY: 'http://a', NO_PROXY: '*' }), null);
  assert.throws(() => of('https://huggingface.co', { HTTPS_PROXY: 'socks5://a:1' }), told('HUB_PROXY', /socks5:/, /http:/));
});

test('a preview and a download through a proxy, redirects too', async () => {
  process.env.HTTP_PROXY = proxy.url();
  const { summary } = await preview(far);
  assert.equal(summary?.architecture, 'llama');
  const folder = await download('lab/big');
  assert.deepEqual(new Uint8Array(readFileSync(path.join(folder, 'model.safetensors'))), blob);
  const hosts = new Set(proxy.passed.map((url) => new URL(url).host));
  assert.equal(hosts.size, 2, 'the hub and where it keeps its files');
  assert.ok(far.asked.length > 4 && far.asked.length === proxy.passed.length);
});

test('a proxy that wants a password, is not there, is none', async () => {
  process.env.HTTP_PROXY = proxy.url();
  proxy.credentials = 'anna:red kite';
  await assert.rejects(preview(far), told('HUB_PROXY', /127\.0\.0\.1:\d+ wants a user and a password/, /user:password@/));
  process.env.HTTP_PROXY = proxy.url('anna:red%20kite');
  assert.ok((await preview(far)).summary);
  process.env.HTTP_PROXY = 'http://127.0.0.1:9';
  await assert.rejects(preview(far), told('HUB_PROXY', /127\.0\.0\.1:9 cannot be reached \(ECONNREFUSED\)/, /HTTPS_PROXY/));
  Object.assign(process.env, { HTTPS_PROXY: near.url, HTTP_PROXY: '' });
  await assert.rejects(preview(secure), told('HUB_PROXY', /refused the connection|cannot be reached/, /HTTPS_PROXY/));
});

test('a tunnel: the proxy sees a host, and no token', async () => {
  proxy.credentials = 'anna:kite';
  const env = { HF_ENDPOINT: secure.url, HF_TOKEN: TOKEN, HTTPS_PROXY: proxy.url('anna:kite'), NODE_EXTRA_CA_CERTS: CERTIFICATE };
  const { status, stdout, stderr } = await cli(env, ['hub', 'download', 'lab/tiny-llama']);
  assert.equal(status, 0, stderr);
  assert.deepEqual(
    readFileSync(path.join(stdout.trim(), 'model.safetensors')),
    repos['lab/tiny-llama'].files['model.safetensors'],
  );
  assert.ok(proxy.passed.length > 3 && proxy.passed.every((host) => /^hub\.test:\d+$/.test(host)), proxy.passed.join());
  assert.ok(secure.asked.every(({ origin, authorization }) => (origin === 'cdn') === (authorization === null)));
});

test('a certificate that nobody signed is told, and is trusted once it is named', async () => {
  await assert.rejects(
    preview(unsigned),
    told('HUB_CERTIFICATE', /127\.0\.0\.1:\d+ is not trusted \(.*SELF_SIGNED/, /NODE_EXTRA_CA_CERTS/),
  );
  process.env.HTTPS_PROXY = proxy.url();
  await assert.rejects(preview(secure), told('HUB_CERTIFICATE', /hub\.test:\d+ is not trusted/, /NODE_EXTRA_CA_CERTS/));
  const env = { HF_ENDPOINT: unsigned.url, NODE_EXTRA_CA_CERTS: CERTIFICATE };
  const { status, stdout, stderr } = await cli(env, ['hub', 'preview', 'lab/tiny-llama']);
  assert.equal(status, 0, stderr);
  assert.equal(JSON.parse(stdout).summary.architecture, 'llama');
});

test('a file that can grow no further is told; what has come is kept and goes on', {
  skip: process.platform === 'win32',
}, async () => {
  const env = { HF_ENDPOINT: near.url };
  const full = await cli(env, ['hub', 'download', 'lab/big'], 'ulimit -f 2000;');
  assert.equal(full.status, 2);
  assert.match(full.stderr, /^error\[HUB_DISK_FULL\]: .*EFBIG/m);
  const repo = path.join(process.env.HF_HOME as string, 'hub/models--lab--big');
  assert.ok(!existsSync(path.join(repo, 'snapshots')) && !existsSync(path.join(repo, 'refs')));
  const [incomplete = ''] = readdirSync(path.join(repo, 'blobs')).filter((name) => name.endsWith('.incomplete'));
  const kept = statSync(path.join(repo, 'blobs', incomplete)).size;
  assert.ok(kept > 100_000 && kept < blob.length, `${kept} bytes`);
  near.asked.length = 0;
  const { status, stdout, stderr } = await cli(env, ['hub', 'download', 'lab/big']);
  assert.equal(status, 0, stderr);
  assert.deepEqual(new Uint8Array(readFileSync(path.join(stdout.trim(), 'model.safetensors'))), blob);
  assert.equal(near.downloads('name=model.safetensors')[0]?.range, `bytes=${kept}-`);
});

test('where links are not possible a snapshot holds copies', async () => {
  const { symlink, link } = fs.promises;
  const refuse = () => Promise.reject(Object.assign(new Error('EPERM: operation not permitted'), { code: 'EPERM' }));
  Object.assign(fs.promises, { symlink: refuse, link: refuse });
  syncBuiltinESMExports();
  try {
    process.env.HF_ENDPOINT = near.url;
    const folder = await download('lab/tiny-llama');
    assert.equal(path.basename(folder), COMMIT);
    const weights = path.join(folder, 'model.safetensors');
    assert.ok(lstatSync(weights).isFile() && lstatSync(weights).nlink === 1);
    assert.deepEqual(readFileSync(weights), repos['lab/tiny-llama'].files['model.safetensors']);
    assert.equal((await preview(near)).variants[0]?.path, folder);
  } finally {
    Object.assign(fs.promises, { symlink, link });
    syncBuiltinESMExports();
  }
});
