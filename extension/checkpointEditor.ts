import path from 'node:path';
import * as vscode from 'vscode';
import type { Views } from './views.js';

export const CHECKPOINT_EDITOR = 'modelLab.checkpoint';

/** A file in the checkpoint editor, held against another: the query of its URI says which. */
export const compared = (file: string, other: string): vscode.Uri =>
  vscode.Uri.file(file).with({ query: encodeURIComponent(other) });

/** Read-only editor of weight files and model folders: the server reads the header only, never the whole file. */
export function registerCheckpointEditor(views: Views): vscode.Disposable {
  const provider: vscode.CustomReadonlyEditorProvider = {
    openCustomDocument: (uri) => ({ uri, dispose: () => undefined }),
    resolveCustomEditor({ uri }, panel) {
      if (uri.scheme !== 'file') {
        panel.webview.html = '<p>Model Lab reads weights from local files only; this one is on a virtual file system.</p>';
        return;
      }
      const other = uri.query === '' ? null : decodeURIComponent(uri.query);
      const show = () => views.show(panel.webview, 'checkpoint', path.basename(uri.fsPath), uri.fsPath, other);
      let shown = show();
      const watcher = vscode.workspace.createFileSystemWatcher(
        new vscode.RelativePattern(vscode.Uri.joinPath(uri, '..'), path.basename(uri.fsPath)),
      );
      const again = () => {
        shown.dispose();
        shown = show();
      };
      watcher.onDidChange(again);
      watcher.onDidCreate(again);
      panel.onDidDispose(() => {
        watcher.dispose();
        shown.dispose();
      });
    },
  };
  return vscode.window.registerCustomEditorProvider(CHECKPOINT_EDITOR, provider, { supportsMultipleEditorsPerDocument: true });
}
