import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';

const SYSTEM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** $CHROMIUM, else one of the system, else the one inside an npm package. */
export async function chromiumPath(): Promise<string> {
  const found = process.env.CHROMIUM ?? SYSTEM.find((file) => existsSync(file));
  if (found) return found;
  const { default: packaged } = await import('@sparticuz/chromium');
  return packaged.executablePath();
}

/** What an unattended browser needs, and pictures that come out the same everywhere. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--no-first-run',
  '--no-default-browser-check',
  '--disable-background-networking',
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-component-update',
  '--disable-dev-shm-usage',
  '--disable-extensions',
  '--disable-renderer-backgrounding',
  '--font-render-hinting=none',
  '--force-color-profile=srgb',
  '--hide-scrollbars',
  '--mute-audio',
  '--password-store=basic',
  '--remote-debugging-port=0',
];

export interface SharedBrowser {
  /** For `chromium.connectOverCDP`, from any process. */
  readonly endpoint: string;
  close(): Promise<void>;
}

/**
 * A browser with one profile, which several processes connect to. Its caches stay from test to test, so that the scripts of the workbench are
 * compiled once; a browser context of its own would begin without.
 */
export async function launchBrowser(): Promise<SharedBrowser> {
  const profile = mkdtempSync(path.join(os.tmpdir(), 'model-lab-browser-'));
  const child = spawn(await chromiumPath(), [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  process.once('exit', () => child.kill());
  let said = '';
  const endpoint = await new Promise<string>((resolve, reject) => {
    child.stderr.on('data', (data) => {
      said += data;
      const port = /DevTools listening on ws:\/\/[^:]+:(\d+)\//.exec(said)?.[1];
      if (port) resolve(`http://127.0.0.1:${port}`);
    });
    child.once('exit', (code) => reject(new Error(`the browser exited with ${code}: ${said}`)));
    child.once('error', reject);
  });
  const close = async () => {
    const exit = once(child, 'exit');
    child.kill();
    await exit;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  return { endpoint, close };
}

/** A page of this size in the profile that all share. */
export async function newPage(browser: Browser, size = { width: 1280, height: 720 }): Promise<Page> {
  const [context] = browser.contexts();
  if (!context) throw new Error('the browser has no profile');
  const page = await context.newPage();
  await page.setViewportSize(size);
  return page;
}

/** Removes what pages of an address stored, so that the next begins as the first did; compiled scripts stay. */
export async function forget(page: Page, url: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const storageTypes = 'cookies,file_systems,indexeddb,local_storage,service_workers,cache_storage';
  await session.send('Storage.clearDataForOrigin', { origin: url, storageTypes });
  await session.detach();
}

export interface DevelopmentHost {
  readonly authority: string;
  /** Folder of the extension under development. */
  readonly extension: string;
  /** Module whose run() the extension host calls, instead of showing the workbench to a person. */
  readonly tests?: string;
}

/**
 * What --extensionDevelopmentPath and --extensionTestsPath do on the desktop. A built web workbench takes these only from
 * its configuration element, so that is changed while the page is being parsed, before the workbench (a module) reads it.
 * Rewriting the page on its way instead would make the browser refuse its WebSockets.
 */
export async function developmentHost(page: Page, host: DevelopmentHost): Promise<void> {
  await allowNamedFunctions(page);
  await page.addInitScript(({ authority, extension, tests }) => {
    if (window.top !== window) return;
    const uri = (path: string) => ({ $mid: 1, scheme: 'vscode-remote', authority, path });
    new MutationObserver((_, observer) => {
      const element = document.getElementById('vscode-workbench-web-configuration');
      if (!element) return;
      observer.disconnect();
      const settings = JSON.parse(element.getAttribute('data-settings') ?? '{}');
      settings.developmentOptions = {
        ...settings.developmentOptions,
        extensions: [uri(extension)],
        ...(tests && { extensionTestsPath: uri(tests) }),
      };
      element.setAttribute('data-settings', JSON.stringify(settings));
    }).observe(document, { childList: true, subtree: true });
  }, host);
}

/** tsx wraps named functions in a helper of its own, which functions handed to the page would look for in vain. */
export const allowNamedFunctions = (page: Page) => page.addInitScript('globalThis.__name ??= (value) => value');
