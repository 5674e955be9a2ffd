/** The cache is that of Python's huggingface_hub: what one downloads the other finds, and their locks keep each other away. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { withLock } from '../../server/hub/lock.js';
import { HubModels } from '../../server/lab/hubModels.js';
import { COMMIT, TestHub } from './server.js';

const python = [process.env.MODEL_LAB_PEERS_PYTHON, 'python3'].find(
  (each) => each !== undefined && spawnSync(each, ['-c', 'import huggingface_hub']).status === 0,
);
const options = { skip: python === undefined ? 'no Python with huggingface_hub; $MODEL_LAB_PEERS_PYTHON names one' : false };

const llama = path.resolve(import.meta.dirname, '../../media/models/tiny-llama');
const files = Object.fromEntries(readdirSync(llama).map((name) => [name, readFileSync(path.join(llama, name))]));
const hub = new TestHub({ 'lab/ours': { files }, 'lab/theirs': { files } });
const home = mkdtempSync(path.join(tmpdir(), 'model-lab-hub-python-'));
const saved = { ...process.env };
const never = new AbortController().signal;
const env = () => ({ ...process.env, HF_HUB_DISABLE_XET: '1', HF_HUB_DISABLE_TELEMETRY: '1', HF_HUB_DISABLE_PROGRESS_BARS: '1' });

before(async () => {
  await hub.start();
  Object.assign(process.env, { HF_ENDPOINT: hub.url, HF_HOME: home });
  for (const name of ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'HF_TOKEN', 'HF_HUB_OFFLINE']) delete process.env[name];
});
after(() => {
  hub.stop();
  rmSync(home, { recursive: true, force: true });
  for (const name of ['HF_ENDPOINT', 'HF_HOME']) delete process.env[name];
  Object.assign(process.env, saved);
});

/** What the program prints as JSON; the server here answers meanwhile. */
function run(program: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const child = spawn(python as string, ['-c', program], { env: env() });
    let [out, errors] = ['', ''];
    child.stdout.on('data', (text) => {
      out += text;
    });
    child.stderr.on('data', (text) => {
      errors += text;
    });
    child.on('close', (status) => (status === 0 ? resolve(JSON.parse(out)) : reject(new Error(errors))));
  });
}

test('Python finds what was downloaded here', options, async () => {
  const folder = await new HubModels().download('lab/ours', null, null, never, () => undefined);
  const found = await run(`
import json
from huggingface_hub import hf_hub_download, scan_cache_dir
file = hf_hub_download("lab/ours", "model.safetensors", local_files_only=True)
info = scan_cache_dir()
repo = [r for r in info.repos if r.repo_id == "lab/ours"][0]
revision = list(repo.revisions)[0]
print(json.dumps([file, [str(w) for w in info.warnings], revision.commit_hash, sorted(revision.refs), len(revision.files), repo.size_on_disk]))
`);
  const [variant] = (await new HubModels().preview('lab/ours', null, null, never)).variants;
  assert.deepEqual(found, [path.join(folder, 'model.safetensors'), [], COMMIT, ['main'], variant?.files.length, variant?.bytes]);
});

test('what Python downloaded is not downloaded again', options, async () => {
  const folder = await run(`
import json
from huggingface_hub import snapshot_download
print(json.dumps(snapshot_download("lab/theirs")))
`);
  hub.asked.length = 0;
  assert.equal(await new HubModels().download('lab/theirs', null, null, never, () => undefined), folder);
  assert.deepEqual(
    hub.asked.filter(({ url }) => !url.startsWith('/api/')),
    [],
  );
});

test('a lock that Python holds is waited for', {
  ...options,
  skip: options.skip || (spawnSync('flock', ['--version']).error ? 'no flock here' : false),
}, async () => {
  const lock = path.join(home, 'hub', '.locks', 'models--lab--ours', 'x.lock');
  const marker = path.join(home, 'held');
  const holding = run(`
import json, pathlib, time
from huggingface_hub.utils import WeakFileLock
pathlib.Path(${JSON.stringify(path.dirname(lock))}).mkdir(parents=True, exist_ok=True)
with WeakFileLock(${JSON.stringify(lock)}):
    pathlib.Path(${JSON.stringify(marker)}).touch()
    time.sleep(1.5)
    pathlib.Path(${JSON.stringify(marker)}).unlink()
print("null")
`);
  while (!existsSync(marker)) await new Promise((resolve) => setTimeout(resolve, 20));
  let waited = false;
  const told = () => {
    waited = true;
  };
  await withLock(lock, never, told, async () => assert.ok(!existsSync(marker), 'both at once'));
  assert.ok(waited);
  await holding;
});
