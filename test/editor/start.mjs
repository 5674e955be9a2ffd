// `npm start`: installs and builds what is missing, then opens the lab on the sample workspace, in the VS Code of this
// machine when `code` is on PATH, else in a browser. `npm start -- --browser` always takes the browser.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import process from 'node:process';
import { installPackages } from '../install.mjs';
import { editorUnavailable, setupEditor } from './setup.mjs';

const root = path.resolve(import.meta.dirname, '../..');
const sample = path.join(root, 'media/sample');
const shell = process.platform === 'win32';

function run(args) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) process.exit(status ?? 1);
}

const hasCode = () => spawnSync('code', ['--version'], { stdio: 'ignore', shell }).status === 0;

function openInCode() {
  run(['esbuild.mjs']);
  console.log('Opening Model Lab in VS Code on the sample workspace.');
  spawnSync('code', [`--extensionDevelopmentPath=${root}`, sample], { stdio: 'inherit', shell });
}

async function openInBrowser() {
  setupEditor();
  const vsix = path.join(root, '.cache/start.vsix');
  run(['test/editor/package.mjs', vsix]);
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/editor/serve.ts', vsix], { cwd: root, stdio: 'inherit' });
  // Ctrl-C reaches the whole group; wait until the editor has ended.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  const [code] = await once(child, 'exit');
  process.exitCode = code ?? 1;
}

installPackages();
const reason = editorUnavailable();
if (!process.argv.includes('--browser') && hasCode()) openInCode();
else if (!reason) await openInBrowser();
else {
  console.error(`No editor to open the lab in: no \`code\` on PATH, and ${reason}.`);
  console.error('Install VS Code and its `code` command, then run npm start again.');
  process.exitCode = 1;
}
