import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import type { ModelEntry } from '../server/protocol/models.js';

/** Paths of the workspace's folders that the server can read. */
export const workspaceFolders = (): string[] =>
  (vscode.workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === 'file').map(({ uri }) => uri.fsPath);

/** Folders that open as a model: those found, and those that hold a single model file. Spelled as the Explorer does. */
export async function modelFolders(entries: readonly ModelEntry[]): Promise<string[]> {
  const isFolder = await Promise.all(
    entries.map(({ path }) =>
      stat(path).then(
        (info) => info.isDirectory(),
        () => false,
      ),
    ),
  );
  const found = entries.filter((_, index) => isFolder[index]).map((entry) => entry.path);
  const holders = entries.filter((_, index) => !isFolder[index]).map((entry) => path.dirname(entry.path));
  const single = holders.filter((holder) => holders.indexOf(holder) === holders.lastIndexOf(holder));
  const real = [...new Set([...found, ...single])];
  // The server follows links; a workspace folder may be one.
  const links = await Promise.all(
    workspaceFolders().map(async (link) => ({ link, target: await realpath(link).catch(() => link) })),
  );
  const inside = ({ target }: { readonly target: string }, folder: string) =>
    folder === target || folder.startsWith(target + path.sep);
  return real.flatMap((folder) => {
    const spelled = links.filter((each) => inside(each, folder)).map(({ link, target }) => link + folder.slice(target.length));
    return spelled.length > 0 ? spelled : [folder];
  });
}
