import { existsSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { chromium } from 'playwright-core';

const SYSTEM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** $CHROMIUM, else one of the system, else the one inside an npm package. */
export async function chromiumPath(): Promise<string> {
  const found = process.env.CHROMIUM ?? SYSTEM.find((file) => existsSync(file));
  if (found) return found;
  const { default: packaged } = await import('@sparticuz/chromium');
  return packaged.executablePath();
}

/** A headless browser that several processes may connect to with `chromium.connect(server.wsEndpoint())`. */
export const launchBrowser = async () =>
  // Not the package's own flags: they turn web security off.
  chromium.launchServer({
    executablePath: await chromiumPath(),
    headless: true,
    args: ['--no-sandbox', '--font-render-hinting=none'],
  });

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
