import * as vscode from 'vscode';
import type { Lab } from '../lab.js';

/** Opens code that the lab explains, with the hover of one of its names. */
export async function openSampleCommand({ context }: Lab): Promise<void> {
  const document = await vscode.workspace.openTextDocument(
    vscode.Uri.joinPath(context.extensionUri, 'media/sample/inspect_model.py'),
  );
  const at = document.positionAt(document.getText().indexOf('q_proj'));
  await vscode.window.showTextDocument(document, { selection: new vscode.Range(at, at) });
  await vscode.commands.executeCommand('editor.action.showHover');
}
