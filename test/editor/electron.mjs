// Runs the extension-host tests in a VS Code of this machine: `electron.mjs [EXECUTABLE]`, or $VSCODE. Without one,
// @vscode/test-electron downloads it.
import path from 'node:path';
import { runTests } from '@vscode/test-electron';

const root = path.resolve(import.meta.dirname, '../..');
const vscodeExecutablePath = process.argv[2] ?? process.env.VSCODE;

process.exitCode = await runTests({
  ...(vscodeExecutablePath && { vscodeExecutablePath }),
  extensionDevelopmentPath: root,
  extensionTestsPath: path.join(root, '.cache/host-tests/index.cjs'),
  launchArgs: [path.join(root, 'media/sample'), '--disable-extensions', '--disable-workspace-trust'],
}).catch((error) => {
  console.error(`The tests failed or no VS Code could be had (give its executable as argument or in $VSCODE): ${error.message}`);
  return 1;
});
