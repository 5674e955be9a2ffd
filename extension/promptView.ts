import * as vscode from 'vscode';
import type { Views } from './views.js';

const ID = 'modelLab.prompt';

/** Prompt & Tokens, in the side bar. It keeps its page while hidden, so that what was typed stays. */
export function registerPromptView(views: Views): vscode.Disposable {
  const provider: vscode.WebviewViewProvider = {
    resolveWebviewView(view) {
      const shown = views.show(view.webview, 'prompt', 'Prompt & Tokens');
      view.onDidDispose(() => shown.dispose());
    },
  };
  return vscode.window.registerWebviewViewProvider(ID, provider, { webviewOptions: { retainContextWhenHidden: true } });
}

export const focusPromptView = () => vscode.commands.executeCommand(`${ID}.focus`);
