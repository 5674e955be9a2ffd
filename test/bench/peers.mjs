// Installs what the benchmarks compare with into test/bench/peers (not in git) and says which of it cannot be had.
// `node test/bench/peers.mjs`; $MODEL_LAB_PEERS_PYTHON names a Python whose packages are reused and not installed again.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { peersFolder, peersPython } from './lib/peersPython.mjs';

/** By name of the peer: what pip is asked for, and what it is imported as. */
const peers = {
  transformers: { packages: ['torch==2.13.0', 'transformers', 'safetensors', 'psutil'], module: 'transformers' },
  rwkv: { packages: ['rwkv'], module: 'rwkv' },
  transformer_lens: { packages: ['transformer_lens'], module: 'transformer_lens' },
};

const python = (executable, ...args) =>
  execFileSync(executable, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 1_800_000 }).trim();

/** A virtual environment; one that exists already lends its packages through a .pth file. */
function environment() {
  if (existsSync(peersPython)) return;
  const given = process.env.MODEL_LAB_PEERS_PYTHON;
  const base = given ?? (process.platform === 'win32' ? 'python' : 'python3');
  mkdirSync(peersFolder, { recursive: true });
  python(base, '-m', 'venv', path.join(peersFolder, 'python'));
  if (!given) return;
  const packages = 'import sysconfig; print(sysconfig.get_path("purelib"))';
  writeFileSync(path.join(python(peersPython, '-c', packages), 'reused.pth'), `${python(given, '-c', packages)}\n`);
}

const lastLine = (error) => (error.stderr || error.message).trim().split('\n').at(-1);

try {
  environment();
} catch (error) {
  console.log(`no peer can be installed: Python 3.10 or later with venv is needed (${lastLine(error)})`);
  process.exit(1);
}
for (const [name, { packages, module }] of Object.entries(peers))
  try {
    console.log(`${name}: installing ${packages.join(' ')}`);
    python(peersPython, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages);
    console.log(
      `${name}: ${python(peersPython, '-c', `import ${module}, importlib.metadata as m; print(m.version("${module}"))`)}`,
    );
  } catch (error) {
    console.log(`${name}: cannot be installed (${lastLine(error)})`);
    process.exitCode = 1;
  }
