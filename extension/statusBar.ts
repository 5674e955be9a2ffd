import * as vscode from 'vscode';
import type { Server } from './server.js';
import { isRunning, type Session } from './session.js';

/** Server state and active model, in one item; a click goes to the prompt. */
export function registerStatusBar(server: Server, session: Session): vscode.Disposable {
  const item = vscode.window.createStatusBarItem('modelLab.status', vscode.StatusBarAlignment.Right, 90);
  item.name = 'Model Lab';
  const show = () => {
    const model = session.activeModel;
    const running = session.runs.some(isRunning);
    const busy = running || server.status === 'starting' || server.status === 'restarting';
    const { failure } = server;
    item.text = `$(${failure ? 'error' : busy ? 'loading~spin' : 'beaker'}) ${model?.name ?? 'Model Lab'}`;
    item.command = failure ? 'modelLab.restartServer' : 'modelLab.prompt.focus';
    item.tooltip = [
      `Model Lab server: ${server.status}${server.pid === null ? '' : ` (process ${server.pid})`}`,
      model ? `${model.name}: ${model.family}, ${model.dtype}, ${model.provider}` : 'No model is open.',
      failure ? `${failure.message} Click to restart it.` : 'Click to prompt.',
    ].join('\n');
    item.backgroundColor = failure ? new vscode.ThemeColor('statusBarItem.errorBackground') : undefined;
  };
  show();
  item.show();
  return vscode.Disposable.from(item, server.onStatus(show), session.onChange(show));
}
