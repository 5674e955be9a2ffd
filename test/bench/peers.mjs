// Installs what the benchmarks compare with into test/bench/peers (not in git) and says which of it cannot be had.
// `node test/bench/peers.mjs`; $MODEL_LAB_PEERS_PYTHON names a Python whose packages are reused and not installed again.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { nodePeerFolder, nodePeers, nodePeerVersion, peersFolder, peersPython, pythonPeers } from './lib/peers.mjs';

const output = (executable, args, options = {}) =>
  execFileSync(executable, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 1_800_000, ...options }).trim();
const python = (executable, ...args) => output(executable, args);

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

function installPython({ packages, module }) {
  environment();
  python(peersPython, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages);
  return python(peersPython, '-c', `import ${module}, importlib.metadata as m; print(m.version("${module}"))`);
}

/** Without scripts: they would fetch or build what the packages hold already. */
function installNode(name, { packages, optional }) {
  const folder = nodePeerFolder(name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  const options = [
    '--ignore-scripts',
    `--${optional ? 'include' : 'omit'}=optional`,
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  output('npm', ['install', ...options, ...packages], { cwd: folder, shell: process.platform === 'win32' });
  return nodePeerVersion(name);
}

const withInstaller = (peers, install) =>
  Object.entries(peers).map(([name, peer]) => [name, { ...peer, install: () => install(name, peer) }]);
const peers = Object.fromEntries([
  ...withInstaller(pythonPeers, (_, peer) => installPython(peer)),
  ...withInstaller(nodePeers, installNode),
]);

const wanted = process.argv.slice(2);
for (const [name, { packages, install }] of Object.entries(peers)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  try {
    console.log(`${name}: installing ${packages.join(' ')}`);
    console.log(`${name}: ${install()}`);
  } catch (error) {
    console.log(`${name}: cannot be installed (${(error.stderr || error.message).trim().split('\n').at(-1)})`);
    process.exitCode = 1;
  }
}
