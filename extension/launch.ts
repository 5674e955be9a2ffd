import * as vscode from 'vscode';
import type { ServerProcess } from './client.js';
import { chooseNode, type NodeChoice } from './node.js';
import { hasInspectorTab } from './panels.js';

const BYTES_PER_GB = 1e9;

/** Settings that the server reads when it starts. */
export const SERVER_SETTINGS = [
  'modelLab.server.node',
  'modelLab.server.threads',
  'modelLab.server.spinning',
  'modelLab.server.sessions',
  'modelLab.provider',
  'modelLab.dtype',
  'modelLab.config',
  'modelLab.memory.limit',
  'modelLab.memory.runs',
  'modelLab.huggingFace.endpoint',
  'modelLab.huggingFace.cache',
] as const;

/**
 * How to start the server process, by the settings at the time. It restores its models and runs after a crash, and when the
 * window came back with inspectors that show them; a workspace without trust runs nothing by itself.
 */
export function launcher(context: vscode.ExtensionContext): (again: boolean) => Promise<ServerProcess> {
  let warned = false;
  let chosen: { readonly setting: string; readonly node: NodeChoice } | null = null;
  const choose = async (setting: string): Promise<NodeChoice> => {
    // What ran before is not asked for its version again: a restart after a crash is to be quick.
    if (chosen?.setting !== setting) chosen = { setting, node: await chooseNode(setting) };
    return chosen.node;
  };
  return async (again) => {
    const settings = vscode.workspace.getConfiguration('modelLab');
    const { execPath, warning } = await choose(settings.get('server.node', ''));
    if (warning && !warned) void vscode.window.showWarningMessage(warning);
    warned ||= warning !== null;
    const storage = context.storageUri ?? context.globalStorageUri;
    await vscode.workspace.fs.createDirectory(storage);
    const restores = vscode.workspace.isTrusted && (again || hasInspectorTab());
    const args = [
      ...['--storage', storage.fsPath],
      ...['--embedded', context.asAbsolutePath('media/models')],
      ...['--threads', String(settings.get('server.threads', 0))],
      ...['--provider', settings.get('provider', 'cpu')],
      ...['--dtype', settings.get('dtype', 'own')],
      ...['--config', JSON.stringify(settings.get('config', {}))],
      ...(settings.get('server.spinning', false) ? ['--spinning'] : []),
      ...['--sessions', String(settings.get('server.sessions', 0))],
      ...['--memory', String(Math.round(settings.get('memory.limit', 0) * BYTES_PER_GB))],
      ...['--runs', String(Math.round(settings.get('memory.runs', 0) * BYTES_PER_GB))],
      ...(restores ? ['--restore'] : []),
    ];
    return { module: context.asAbsolutePath('dist/server.js'), execPath, args, restores, env: hubEnvironment(settings) };
  };
}

/** Offers a restart when a setting changed that only a restart brings into effect. */
export function watchSettings(restart: () => Promise<void>): vscode.Disposable {
  return vscode.workspace.onDidChangeConfiguration(async (change) => {
    if (!SERVER_SETTINGS.some((setting) => change.affectsConfiguration(setting))) return;
    const picked = await vscode.window.showInformationMessage(
      'The setting takes effect when the Model Lab server restarts.',
      'Restart',
    );
    if (picked) await restart();
  });
}

/** What the settings say of the Hub, in the variables of Hugging Face's tools; the editor's proxy, and the certificates of the system where Node can read them. */
function hubEnvironment(settings: vscode.WorkspaceConfiguration): Record<string, string> {
  const http = vscode.workspace.getConfiguration('http');
  const { env } = process;
  const given = {
    HF_ENDPOINT: settings.get('huggingFace.endpoint', ''),
    HF_HUB_CACHE: settings.get('huggingFace.cache', ''),
    HTTPS_PROXY: env.HTTPS_PROXY ?? env.https_proxy ?? http.get<string>('proxy', ''),
    NO_PROXY: env.NO_PROXY ?? env.no_proxy ?? http.get<string[]>('noProxy', []).join(),
    NODE_USE_SYSTEM_CA: env.NODE_USE_SYSTEM_CA ?? (http.get('systemCertificates', true) ? '1' : ''),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));
}
