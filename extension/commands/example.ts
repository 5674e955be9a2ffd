import * as vscode from 'vscode';
import type { Lab } from '../lab.js';
import { promptCommand } from './prompt.js';

/** 你好 through a model in the shape of ChatGLM3, with every step's numbers in the architecture view. */
export async function openExampleCommand(lab: Lab): Promise<void> {
  const path = vscode.Uri.joinPath(lab.context.extensionUri, 'media/examples/tiny-chatglm3').fsPath;
  await promptCommand(lab, { path, prompt: '你好', chat: false });
  const { run } = lab.selection.value;
  const prompted = run === null ? null : lab.session.run(run);
  if (prompted) lab.selection.select({ token: prompted.promptTokens - 1 });
  lab.panels.show('architecture');
}
