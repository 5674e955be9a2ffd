import * as vscode from 'vscode';
import { internal, LabError } from '../server/protocol/errors.js';

export const serverLost = () =>
  new LabError({
    code: 'SERVER_LOST',
    message: 'The Model Lab server stopped before it answered.',
    hint: 'It is being restarted; try again in a moment.',
  });

export const serverStopped = (why: string) =>
  new LabError({
    code: 'SERVER_STOPPED',
    message: `The Model Lab server is not running: ${why}`,
    hint: 'Restart it; its log says what happened.',
  });

export const untrusted = () =>
  new LabError({
    code: 'WORKSPACE_UNTRUSTED',
    message: 'Models run only in a trusted workspace.',
    hint: 'Files can be inspected without trust.',
  });

export const paramsInvalid = (method: string) =>
  new LabError({
    code: 'PARAMS_INVALID',
    message: `The view sent a malformed ${method}.`,
    hint: 'This is a bug in Model Lab. Please report it.',
  });

/** An error that was thrown anywhere, as one of ours. */
export const asLabError = (error: unknown): LabError => (error instanceof LabError ? error : internal(error));

/** Buttons by error code: what a person can do about it right here. */
const ACTIONS: Readonly<
  Record<string, readonly { readonly title: string; readonly command: string; readonly args?: readonly unknown[] }[]>
> = {
  SERVER_LOST: [{ title: 'Show Log', command: 'modelLab.showLog' }],
  SERVER_STOPPED: [
    { title: 'Restart', command: 'modelLab.restartServer' },
    { title: 'Show Log', command: 'modelLab.showLog' },
  ],
  NODE_UNUSABLE: [{ title: 'Open Settings', command: 'workbench.action.openSettings', args: ['modelLab.server.node'] }],
  WORKSPACE_UNTRUSTED: [{ title: 'Manage Workspace Trust', command: 'workbench.trust.manage' }],
  INTERNAL: [{ title: 'Show Log', command: 'modelLab.showLog' }],
};

/** Tells the person: `message (hint)`, with buttons when there is something to do. A cancelled request says nothing. */
export async function showError(error: unknown): Promise<void> {
  const { code, message, hint } = asLabError(error);
  if (code === 'CANCELLED') return;
  const actions = ACTIONS[code] ?? [];
  const picked = await vscode.window.showErrorMessage(`${message} (${hint})`, ...actions.map(({ title }) => title));
  const action = actions.find(({ title }) => title === picked);
  if (action) await vscode.commands.executeCommand(action.command, ...(action.args ?? []));
}
