// Runs the UI tests one after another in one editor and browser: `uiTests.ts [--vsix FILE] [--results TAP_FILE] [TEST_FILE…]`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startEditor } from './editor.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { vsix: { type: 'string' }, results: { type: 'string' } },
});
const folder = path.join(import.meta.dirname, 'ui');
const files =
  positionals.length > 0
    ? positionals
    : readdirSync(folder).flatMap((name) => (name.endsWith('.test.ts') ? [path.join(folder, name)] : []));
const reporters = ['--test-reporter=spec', '--test-reporter-destination=stdout'];
if (values.results) reporters.push('--test-reporter=tap', `--test-reporter-destination=${values.results}`);

const { env, stop } = await startEditor(values.vsix && path.resolve(values.vsix));
const child = spawn(process.execPath, ['--import', 'tsx', '--test', '--test-concurrency=1', ...reporters, ...files], {
  env: { ...process.env, ...env },
  stdio: ['ignore', 'inherit', 'inherit'],
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => child.kill(signal));
const [code] = await once(child, 'exit');
await stop();
process.exitCode = code ?? 1;
