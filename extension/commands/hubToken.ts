import * as vscode from 'vscode';
import type { Lab } from '../lab.js';

/** Asks for a token; it is not shown while it is typed. */
export async function setHubTokenCommand({ hubToken }: Lab): Promise<void> {
  const token = await vscode.window.showInputBox({
    title: 'Hugging Face access token',
    prompt: 'For gated and private models: huggingface.co/settings/tokens. It is kept in the secret store of the editor.',
    placeHolder: 'hf_…',
    password: true,
    ignoreFocusOut: true,
    validateInput: (value) => (/^\S+$/.test(value.trim()) ? null : 'A token has no spaces.'),
  });
  if (token === undefined) return;
  await hubToken.set(token.trim());
  vscode.window.setStatusBarMessage('$(check) The Hugging Face token is kept', 4000);
}

export async function clearHubTokenCommand({ hubToken }: Lab): Promise<void> {
  await hubToken.set(null);
  vscode.window.setStatusBarMessage('$(check) The Hugging Face token is forgotten', 4000);
}
