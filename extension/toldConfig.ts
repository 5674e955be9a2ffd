import * as vscode from 'vscode';

type Told = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Puts a key over those of a checkpoint's config.json; the server reads it when it starts. */
export async function tellConfig(path: string, key: string, value: boolean | string): Promise<void> {
  const settings = vscode.workspace.getConfiguration('modelLab');
  const told = settings.get<Told>('config', {});
  const next = { ...told, [path]: { ...told[path], [key]: value } };
  const target = vscode.workspace.workspaceFolders ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
  await settings.update('config', next, target);
}
