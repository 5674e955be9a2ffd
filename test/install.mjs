// Plain Node without dependencies: what `npm start`, `npm test` and CI run first in a fresh clone.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

const root = path.resolve(import.meta.dirname, '..');
const read = (file) => JSON.parse(readFileSync(path.join(root, file), 'utf8'));

/** Installs the pinned packages when one is missing or of another version. Scripts stay off (.npmrc): none is needed. */
export function installPackages() {
  if (Number(process.versions.node.split('.')[0]) < 20) throw new Error(`Node 20 or later is needed, this is ${process.version}`);
  const { dependencies, devDependencies } = read('package.json');
  const wrong = Object.entries({ ...dependencies, ...devDependencies }).filter(([name, version]) => {
    const file = `node_modules/${name}/package.json`;
    return !existsSync(path.join(root, file)) || read(file).version !== version;
  });
  if (wrong.length === 0) return;
  console.log(`packages: installing ${wrong.length} that are missing or outdated`);
  // npm ci would empty a node_modules that others may be using.
  const verb = existsSync(path.join(root, 'node_modules')) ? 'install' : 'ci';
  execFileSync('npm', [verb, '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  });
}

if (process.argv[1] === import.meta.filename) installPackages();
