import { appendFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { format } from 'node:util';

export interface HostTestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Where report.txt and counts.json go; without it mocha prints to the console of the extension host. */
const results = process.env.MODEL_LAB_TEST_RESULTS;

/** What VS Code calls in the extension host. Runs every *.test file beside this one, as mocha's `suite` and `test`. */
export async function run(): Promise<void> {
  // Mocha is an ES module and this bundle is CommonJS, which VS Code 1.100 needs.
  const { default: Mocha } = await import('mocha');
  const mocha = new Mocha({ ui: 'tdd', timeout: 60_000, color: false, reporter: 'spec' });
  if (results)
    Mocha.reporters.Base.consoleLog = (...line) => appendFileSync(path.join(results, 'report.txt'), `${format(...line)}\n`);
  for (const name of readdirSync(__dirname).sort()) {
    if (name.endsWith('.test.cjs') && matches(name)) mocha.addFile(path.join(__dirname, name));
  }
  const counts = await new Promise<HostTestCounts>((resolve) => {
    const runner = mocha.run(() => {
      const { passes = 0, failures = 0, pending = 0 } = runner.stats ?? {};
      resolve({ passed: passes, failed: failures, skipped: pending });
    });
  });
  if (results) writeFileSync(path.join(results, 'counts.json'), JSON.stringify(counts));
  if (counts.failed > 0) throw new Error(`${counts.failed} tests failed`);
}

const matches = (name: string): boolean => name.includes(process.env.MODEL_LAB_TEST_ONLY ?? '');
