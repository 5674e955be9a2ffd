import { launchBrowser } from './browser.js';
import { startCodeServer } from './codeServer.js';
import { setupEditor } from './setup.mjs';

/** The editor and browser that UI tests share, whatever process they run in. */
export interface Editor {
  readonly url: string;
  readonly authority: string;
  readonly userData: string;
  /** Where playwright connects. */
  readonly browser: string;
  /** True when the extension is installed from a .vsix instead of loaded from the checkout. */
  readonly installed: boolean;
}

const SHARED = 'MODEL_LAB_EDITOR';
let own: ReturnType<typeof startEditor> | undefined;

/** The editor that uiTests.ts started, or one for this process alone when a test file is run by itself. */
export async function theEditor(): Promise<Editor> {
  const shared = process.env[SHARED];
  if (shared) return JSON.parse(shared);
  own ??= startEditor(process.env.MODEL_LAB_VSIX);
  return (await own).editor;
}

/** Ends the editor of this process, if it has one. */
export const closeOwnEditor = async (): Promise<void> => (await own)?.stop();

/** Starts an editor with the .vsix installed, or ready to load the checkout. */
export async function startEditor(
  vsix?: string,
): Promise<{ editor: Editor; env: Record<string, string>; stop(): Promise<void> }> {
  setupEditor();
  const [server, browser] = await Promise.all([startCodeServer(vsix ? { vsix: [vsix] } : {}), launchBrowser()]);
  const { url, authority, userData } = server;
  const editor: Editor = { url, authority, userData, browser: browser.endpoint, installed: vsix !== undefined };
  const stop = async () => {
    await browser.close();
    await server.stop();
  };
  return { editor, env: { [SHARED]: JSON.stringify(editor) }, stop };
}
