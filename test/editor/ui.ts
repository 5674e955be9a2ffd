import assert from 'node:assert/strict';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import test, { after } from 'node:test';
import { type Browser, chromium, type Frame, type Locator, type Page } from 'playwright-core';
import { allowNamedFunctions, developmentHost, forget, newPage } from './browser.js';
import { root, type Settings, sample, workbenchUrl, writeSettings } from './codeServer.js';
import { closeOwnEditor, type Editor, theEditor } from './editor.js';
import { editorUnavailable, hostDir } from './setup.mjs';

const THEMES = {
  dark: { id: 'Dark Modern', label: 'Dark Modern', marker: 'dark_modern' },
  light: { id: 'Light Modern', label: 'Light Modern', marker: 'light_modern' },
  hc: { id: 'Default High Contrast', label: 'Dark High Contrast', marker: 'hc_black' },
  hcLight: { id: 'Default High Contrast Light', label: 'Light High Contrast', marker: 'hc_light' },
} as const;
export type Theme = keyof typeof THEMES;

/** Native modules that the npm package of code-server comes without, and does without. */
const NOISE = /bindings file|watchdog/;

/** For what shows within a second on an idle machine. */
const PATIENCE_MS = 60_000;

/** Where screenshots go: $SHOTS, else an ignored folder. */
export const shots = process.env.SHOTS ?? path.join(hostDir, 'shots');

export interface WorkbenchOptions {
  /** Folder to open; the sample workspace by default. */
  readonly folder?: string;
  /** File to open in it, relative to the folder. */
  readonly open?: string;
  readonly settings?: Settings;
  readonly theme?: Theme;
  readonly width?: number;
  readonly height?: number;
}

/** Of a test, in all. */
const ATTEMPTS = 3;

after(closeOwnEditor);

/**
 * One test in a workbench of its own, closed at the end; a failure leaves a screenshot and the extension's log. What fails is tried again in a
 * fresh workbench, which is told: the workbench loses a key or a click now and then. Skipped, with the reason, where no editor can be had.
 */
export function uiTest(name: string, options: WorkbenchOptions, body: (lab: Workbench) => Promise<void>): void {
  test(name, { skip: editorUnavailable() ?? false, timeout: 300_000 }, async (t) => {
    for (let left = ATTEMPTS - 1; ; left--)
      try {
        return await inWorkbench(name, options, body);
      } catch (error) {
        if (left === 0) throw error;
        t.diagnostic(`tried once more after: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
      }
  });
}

async function inWorkbench(name: string, options: WorkbenchOptions, body: (lab: Workbench) => Promise<void>): Promise<void> {
  const lab = await openWorkbench(options);
  try {
    await body(lab);
  } catch (error) {
    const file = await lab.screenshot(`failed ${name}`);
    console.error(`screenshot: ${file}\n${lab.log()}`);
    throw error;
  } finally {
    await lab.close();
  }
}

/** Opens a fresh workbench (no state of others) with the extension in it, in the editor that all UI tests share. */
export async function openWorkbench(options: WorkbenchOptions = {}): Promise<Workbench> {
  const editor = await theEditor();
  const { theme = 'dark', settings } = options;
  // Git would look through the whole checkout around the sample, for every test again.
  writeSettings(editor.userData, { 'git.enabled': false, ...settings, 'workbench.colorTheme': THEMES[theme].id });
  const browser = await chromium.connectOverCDP(editor.browser);
  try {
    return await openPage(browser, editor, options);
  } catch (error) {
    await browser.close();
    throw error;
  }
}

async function openPage(browser: Browser, editor: Editor, options: WorkbenchOptions): Promise<Workbench> {
  const { folder = sample, theme = 'dark', width = 1440, height = 900 } = options;
  const page = await newPage(browser, { width, height });
  await forget(page, editor.url);
  page.setDefaultTimeout(PATIENCE_MS);
  await allowNamedFunctions(page);
  if (!editor.installed) await developmentHost(page, { authority: editor.authority, extension: linkedCheckout(editor) });
  await page.goto(workbenchUrl(editor, folder, options.open && path.join(folder, options.open)), { waitUntil: 'commit' });
  await page.locator('.monaco-workbench').waitFor();
  await page.locator('.activitybar .action-label[aria-label^="Model Lab"]').waitFor();
  await themed(page, theme);
  if (options.open) await page.locator('.editor-instance').first().waitFor();
  return new Workbench(page);
}

/**
 * The checkout under another name. A theme that lies below the extension under development is taken for one of its own and
 * put on, and the editor's themes lie in .vscode-host.
 */
function linkedCheckout(editor: Editor): string {
  const link = path.join(editor.userData, 'checkout');
  if (!existsSync(link)) symlinkSync(root, link);
  return link;
}

/** A person's hands and eyes in the editor. */
export class Workbench {
  private readonly logged: string[] = [];

  constructor(readonly page: Page) {
    page.on('console', (message) => {
      const line = message.text().match(/\[Extension Host\] %c([\s\S]*?) color: /)?.[1];
      if (line && !NOISE.test(line)) this.logged.push(line);
    });
    page.on('pageerror', (error) => this.logged.push(`page: ${error.message}`));
  }

  async close(): Promise<void> {
    await this.page.close();
    await this.page.context().browser()?.close();
  }

  /** Runs a command of the palette by its whole title, as in 'Model Lab: Doctor'. */
  async command(title: string): Promise<void> {
    for (let attempts = 6; attempts > 0; attempts--) {
      await this.palette(`>${title}`);
      // an editor that was just opened takes the focus when its page is ready, and the palette closes
      if (await inSight(this.quickRow(title).first(), 5000)) break;
    }
    await this.pick(title);
  }

  /** Opens the palette on a text; once more when an editor that was just opened took the focus away from it. */
  private async palette(text: string): Promise<void> {
    for (let attempts = 4; ; attempts--) {
      await this.page.keyboard.press('F1');
      try {
        await this.quickInput.fill(text, { timeout: attempts > 0 ? 5000 : PATIENCE_MS });
        return;
      } catch (error) {
        if (attempts === 0) throw error;
        await this.page
          .locator('.part.sidebar')
          .first()
          .click({ position: { x: 40, y: 10 } });
      }
    }
  }

  /** Titles of all commands in the palette that begin with `prefix`. */
  async commands(prefix: string): Promise<string[]> {
    await this.palette(`>${prefix}`);
    await this.quickRow(prefix).first().waitFor();
    const titles = new Set<string>();
    // The list draws only the rows in sight, so walk it until it comes round to one already seen.
    for (let row = await this.focusedRow(); !titles.has(row); row = await this.focusedRow()) {
      titles.add(row);
      await this.page.keyboard.press('ArrowDown');
    }
    await this.page.keyboard.press('Escape');
    return [...titles].map((title) => title.split(',')[0] as string).filter((title) => title.startsWith(prefix));
  }

  /** Chooses the row of the open quick pick whose text begins with `label`; once more when that changed nothing: a list that was filtered at that moment does not take a click. */
  async pick(label: string): Promise<void> {
    await this.take(this.quickRow(label).first());
  }

  private async take(row: Locator): Promise<void> {
    await row.waitFor();
    const before = await this.quickText();
    for (let attempt = 0; attempt === 0 || (attempt < 5 && (await row.isVisible())); attempt++) {
      await row.click({ timeout: attempt === 0 ? PATIENCE_MS : 1000 }).catch((error) => {
        if (attempt === 0) throw error;
      });
      for (const deadline = Date.now() + 2000; Date.now() < deadline; await this.page.waitForTimeout(25))
        if ((await this.quickText()) !== before) return;
    }
  }

  /** Chooses an item of the open menu; the workbench does not take a click that comes while a menu opens. */
  async pickFromMenu(name: string): Promise<void> {
    const item = this.page.locator('.monaco-menu').getByRole('menuitem', { name });
    for (let attempt = 0; attempt === 0 || (attempt < 5 && (await item.isVisible())); attempt++) {
      await item.click();
      await this.page.waitForTimeout(300);
    }
  }

  /** Types into the open input box or quick pick and accepts it. */
  async answer(text: string): Promise<void> {
    await this.quickInput.fill(text);
    await this.page.keyboard.press('Enter');
  }

  /** Waits until the open input box or quick pick holds a text. */
  async typed(fits: (text: string) => boolean): Promise<void> {
    await eventually(async () => assert.ok(fits(await this.quickInput.inputValue({ timeout: 1000 }))));
  }

  /** Opens a file of the workspace by its name. */
  async openFile(name: string): Promise<void> {
    await this.page.keyboard.press('Control+P');
    await this.quickInput.fill(name);
    // before the list is filtered, a file of the same name that was opened lately may stand in it
    const { base, dir } = path.parse(name);
    await this.take(this.quickRow(base).filter({ hasText: dir }).first());
    await this.page.locator('.tabs-container .tab.active', { hasText: path.basename(name) }).waitFor();
  }

  /** Shows the Model Lab container in the side bar. */
  async showSideBar(): Promise<void> {
    const icon = this.page.locator('.activitybar .action-item', { has: this.page.locator('[aria-label^="Model Lab"]') });
    const title = this.page.locator('.sidebar .composite.title', { hasText: 'Model Lab' });
    if (!(await icon.getAttribute('class'))?.includes('checked')) await icon.click();
    // what was opening it meanwhile makes the click one that closes it
    if (!(await inSight(title, 5000))) await icon.click();
    await title.waitFor();
  }

  /** The rows of a tree view in the side bar, by the view's title. */
  treeRows(view: string): Locator {
    const pane = this.page.locator('.sidebar .pane', { has: this.page.locator('.pane-header', { hasText: view }) });
    return pane.locator('.monaco-list-row');
  }

  /** The document of one of our webviews, by the name of its file in webviews/views, once it has drawn something. */
  async webview(view: string, timeout = PATIENCE_MS): Promise<Frame> {
    const deadline = Date.now() + timeout;
    while (Date.now() < deadline) {
      for (const frame of this.page.frames()) if ((await viewName(frame)) === view) return frame;
      await this.page.waitForTimeout(100);
    }
    throw new Error(
      `no webview "${view}" within ${timeout / 1000} s; frames: ${(await Promise.all(this.page.frames().map(viewName))).join(', ')}`,
    );
  }

  /** Texts of the notifications in sight. */
  toasts(): Promise<string[]> {
    return this.page.locator('.notifications-toasts .notification-list-item-message').allInnerTexts();
  }

  /** The notification that holds `text`, once it shows. Its buttons are `.monaco-button` inside. */
  async toast(text: string | RegExp, timeout = PATIENCE_MS): Promise<Locator> {
    const toast = this.page.locator('.notifications-toasts .notification-list-item', { hasText: text }).first();
    await toast.waitFor({ timeout });
    return toast;
  }

  /** Does `copy` and returns the text that it puts on the clipboard. */
  async copied(copy: () => Promise<void>): Promise<string> {
    await this.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await this.page.evaluate(() => navigator.clipboard.writeText(''));
    await copy();
    return eventually(async () => {
      const text = await this.page.evaluate(() => navigator.clipboard.readText());
      if (text === '') throw new Error('nothing is on the clipboard');
      return text;
    });
  }

  /** What the hover says over `word` in the active editor. */
  async hover(word: string): Promise<string> {
    const token = this.page.locator('.editor-instance .view-line span span', { hasText: word }).last();
    const hover = this.page.locator('.monaco-hover:not(.hidden) .hover-contents');
    await this.page.mouse.move(0, 0);
    await hover.first().waitFor({ state: 'hidden' });
    const { x, y } = await token.evaluate(centreOf, word);
    await this.page.mouse.move(x, y);
    await hover.first().waitFor();
    return (await hover.allInnerTexts()).join('\n');
  }

  async setTheme(theme: Theme): Promise<void> {
    // The editor notices only the first change of its settings file from outside.
    await this.command('Preferences: Color Theme');
    await this.quickInput.fill(THEMES[theme].label);
    await this.pick(THEMES[theme].label);
    await themed(this.page, theme);
  }

  /** Shows what is on screen in another theme and size. */
  async show(theme: Theme, width: number, height: number): Promise<void> {
    await this.page.setViewportSize({ width, height });
    await this.setTheme(theme);
  }

  /** Saves a picture of the whole window, or of `part`, and returns its path. */
  async screenshot(name: string, part?: Locator): Promise<string> {
    mkdirSync(shots, { recursive: true });
    const file = path.join(shots, `${name.replace(/[^\w.-]+/g, '-')}.png`);
    await (part ?? this.page).screenshot({ path: file });
    return file;
  }

  /** The last lines that the extension printed to the console of its host. */
  log(lines = 40): string {
    return this.logged.slice(-lines).join('\n');
  }

  private get quickInput(): Locator {
    return this.page.locator('.quick-input-widget:visible input.input');
  }

  private quickRow(label: string): Locator {
    return this.page.locator(`.quick-input-list .monaco-list-row[aria-label^=${JSON.stringify(label)}]`);
  }

  /** All that the open quick pick or input says; empty when none is open. */
  private quickText(): Promise<string> {
    return this.page.evaluate(() => {
      const widget = document.querySelector<HTMLElement>('.quick-input-widget');
      return widget?.checkVisibility() ? widget.innerText : '';
    });
  }

  private async focusedRow(): Promise<string> {
    return (await this.page.locator('.quick-input-list .monaco-list-row.focused').getAttribute('aria-label')) ?? '';
  }
}

/** Whether it comes into sight within `timeout` ms. */
const inSight = (row: Locator, timeout: number): Promise<boolean> =>
  row.waitFor({ timeout }).then(
    () => true,
    () => false,
  );

/** Where a word is on the page: a token of the editor's colouring may hold several. */
function centreOf(token: Element, word: string): { readonly x: number; readonly y: number } {
  const text = token.firstChild as Text;
  const start = text.data.indexOf(word);
  const range = document.createRange();
  range.setStart(text, start);
  range.setEnd(text, start + word.length);
  const { x, y, width, height } = range.getBoundingClientRect();
  return { x: x + width / 2, y: y + height / 2 };
}

const themed = (page: Page, theme: Theme) => page.locator(`.monaco-workbench[class*=${THEMES[theme].marker}-json]`).waitFor();

/** Waits until a live region of the view says something that matches: the value under the cursor, the state of a computation. */
export async function heard(view: Frame, pattern: RegExp, timeout = PATIENCE_MS): Promise<void> {
  await view.locator('[aria-live], [role=status]', { hasText: pattern }).first().waitFor({ timeout, state: 'attached' });
}

/** Pictures of a view in several themes and widths, each when what it shows has come to rest. */
export async function looks(
  lab: Workbench,
  view: Frame,
  name: string,
  each: readonly (readonly [Theme, number])[],
): Promise<void> {
  for (const [theme, width] of each) {
    await lab.show(theme, width, 900);
    await settled(view);
    await lab.screenshot(`${name} ${theme}`);
  }
}

/** Waits until nothing that the view shows is being computed: pictures of the selection before are marked busy. */
export async function settled(view: Frame): Promise<void> {
  await view.waitForFunction(() => !document.querySelector('[aria-busy=true], .state.loading'), null, { polling: 'raf' });
}

/** Tries until `body` does not throw: for what follows a key or a click in its own time. In the end its last error is thrown. */
export async function eventually<T>(body: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + PATIENCE_MS; ; ) {
    try {
      return await body();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** The cells of a table, the twin of a canvas, row by row with its header. */
export async function tableCells(table: Locator): Promise<string[][]> {
  await table.locator('tr').first().waitFor({ state: 'attached' });
  return table
    .locator('tr')
    .evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll('th, td')].map((cell) => cell.textContent ?? '')));
}

/** The view a frame belongs to, or null when it is not ours or still empty. */
async function viewName(frame: Frame): Promise<string | null> {
  const boot = await frame
    .evaluate(() => (document.body?.children.length ? document.getElementById('boot')?.textContent : null))
    .catch(() => null);
  return boot ? (JSON.parse(boot) as { view: string }).view : null;
}
