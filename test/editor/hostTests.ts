// Runs the extension-host tests inside code-server. Prints mocha's report; exits with 1 when one failed.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { format } from 'node:util';
import { chromium } from 'playwright-core';
import { developmentHost, launchBrowser, newPage } from './browser.js';
import { root, sample, startCodeServer, workbenchUrl } from './codeServer.js';
import { setupEditor } from './setup.mjs';

const START_MS = 60_000;
const LIMIT_MS = 300_000;

setupEditor();
const results = path.join(root, '.cache/host-results');
const report = path.join(results, 'report.txt');
rmSync(results, { recursive: true, force: true });
mkdirSync(results, { recursive: true });

/** What the extension host printed: code-server's own complaints, and the reason when no test could be loaded. */
const log: string[] = [];
const server = await startCodeServer({ env: { MODEL_LAB_TEST_RESULTS: results } });
const browser = await launchBrowser();
try {
  const page = await newPage(await chromium.connectOverCDP(browser.endpoint));
  await developmentHost(page, {
    authority: server.authority,
    extension: root,
    tests: path.join(root, '.cache/host-tests/index.cjs'),
  });
  const exit = new Promise<number>((resolve) => void page.exposeFunction('codeAutomationExit', resolve));
  await page.exposeFunction('codeAutomationLog', (_: string, line: unknown[]) => void log.push(format(...line)));
  await page.goto(workbenchUrl(server, sample), { waitUntil: 'commit' });
  process.exitCode = await Promise.race([exit, overdue()]);
  console.log(readFileSync(report, 'utf8').trimEnd());
} catch (error) {
  console.error(error);
  console.error(existsSync(report) ? readFileSync(report, 'utf8') : log.slice(-10).join('\n'));
  process.exitCode = 1;
} finally {
  await browser.close();
  await server.stop();
}

/** Rejects when the tests do not start or do not end in time. */
function overdue(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => {
      if (!existsSync(report)) reject(new Error(`the extension host tests did not start within ${START_MS / 1000} s`));
    }, START_MS).unref();
    setTimeout(() => reject(new Error(`the extension host tests did not end within ${LIMIT_MS / 1000} s`)), LIMIT_MS).unref();
  });
}
