import path from 'node:path';
import * as vscode from 'vscode';
import { LabError } from '../../server/protocol/errors.js';
import { attends, layersOf } from '../../server/protocol/models.js';
import type { RunId, RunInfo } from '../../server/protocol/runs.js';
import type { Lab } from '../lab.js';
import { withSteps } from '../progress.js';
import { isRunning } from '../session.js';
import { isRunInfo } from '../trees/runs.js';

const noRun = () =>
  new LabError({ code: 'RUN_NONE', message: 'No run is selected.', hint: 'Prompt a model, or select one of its runs.' });

const runUnknown = (id: RunId) =>
  new LabError({ code: 'RUN_UNKNOWN', message: `There is no run "${id}".`, hint: 'It was removed, or its model was unloaded.' });

/** The run a command was called on in the tree, else the active one. Errors: RUN_NONE. */
function runOf(lab: Lab, argument: unknown): RunInfo {
  const run = isRunInfo(argument) ? argument : lab.session.activeRun;
  if (!run) throw noRun();
  return run;
}

export function selectRunCommand(lab: Lab, argument: unknown): void {
  lab.selection.select({ run: runOf(lab, argument).id });
}

export function inspectRunCommand(lab: Lab, argument: unknown): void {
  const run = runOf(lab, argument);
  lab.selection.select({ run: run.id });
  const layers = layersOf(lab.session.models.find(({ id }) => id === run.model)?.layers ?? [], run.tower);
  lab.panels.show(layers.length > 0 && !layers.some(attends) ? 'state' : 'attention');
}

/** From the palette: the active run when it is running, else whichever is. */
export async function stopRunCommand(lab: Lab, argument: unknown): Promise<void> {
  const active = isRunInfo(argument) ? argument : lab.session.activeRun;
  const run = active && isRunning(active) ? active : lab.session.runs.find(isRunning);
  if (run) await lab.server.request('runs/stop', { run: run.id });
}

export async function removeRunCommand(lab: Lab, argument: unknown): Promise<void> {
  await lab.server.request('runs/remove', { run: runOf(lab, argument).id });
}

/** What a keybinding may say beforehand about the active run; what it leaves out is asked. */
interface ExportArguments {
  readonly file?: string;
  readonly probes?: readonly string[];
}

const isExportArguments = (argument: unknown): argument is ExportArguments =>
  typeof argument === 'object' && argument !== null && !isRunInfo(argument) && ('file' in argument || 'probes' in argument);

/** Asks what and where to, then has the server write FILE.safetensors and FILE.json. */
export async function exportRunCommand(lab: Lab, argument: unknown): Promise<void> {
  const run = runOf(lab, argument);
  const given = isExportArguments(argument) ? argument : {};
  const probes = given.probes ?? (await pickProbes(lab, run));
  if (!probes) return;
  const chosen = given.file ?? (await askFile(lab, run));
  if (chosen === null) return;
  const file = chosen.endsWith('.safetensors') ? chosen : `${chosen}.safetensors`;
  const { files } = await withSteps(`Exporting ${path.basename(file)}`, (options) =>
    lab.server.request('runs/export', { run: run.id, file, probes }, options),
  );
  void reveal(files);
}

async function askFile(lab: Lab, run: RunInfo): Promise<string | null> {
  const target = await vscode.window.showSaveDialog({
    title: 'Export run',
    filters: { Safetensors: ['safetensors'] },
    defaultUri: vscode.Uri.joinPath(
      folder(lab),
      `${run.modelName}-${run.title.replace(/[^\p{L}\p{N}]+/gu, '-').slice(0, 40)}.safetensors`,
    ),
  });
  return target?.fsPath ?? null;
}

const folder = (lab: Lab): vscode.Uri =>
  vscode.workspace.workspaceFolders?.[0]?.uri ?? vscode.Uri.joinPath(lab.context.globalStorageUri, '..');

async function reveal(files: readonly string[]): Promise<void> {
  const [first] = files;
  const names = files.map((file) => path.basename(file)).join(' and ');
  const picked = await vscode.window.showInformationMessage(`Wrote ${names}.`, 'Open');
  if (picked && first) await vscode.commands.executeCommand('vscode.open', vscode.Uri.file(first));
}

/** Probe names of the model stand for all blocks as `blocks.i.`; the choice is spelled out for each. */
async function pickProbes(lab: Lab, run: RunInfo): Promise<string[] | null> {
  const model = lab.session.models.find(({ id }) => id === run.model);
  if (!model) throw runUnknown(run.id);
  const items = model.probes.map((label) => ({ label, picked: label === 'logits' || label.endsWith('resid_pre') }));
  const picked = await vscode.window.showQuickPick(items, { title: 'Export which probes?', canPickMany: true });
  if (!picked) return null;
  return picked.flatMap(({ label }) =>
    label.startsWith('blocks.i.') ? model.layers.map(({ index }) => label.replace('blocks.i.', `blocks.${index}.`)) : [label],
  );
}

export const copyCommandCommand = (lab: Lab, argument: unknown): Promise<void> => copyCommand(lab, runOf(lab, argument).id, []);

export async function copyCommand(lab: Lab, run: RunId, probes: readonly string[]): Promise<void> {
  const { command } = await lab.server.request('runs/command', { run, probes });
  await vscode.env.clipboard.writeText(command);
  vscode.window.setStatusBarMessage('$(check) Command copied', 3000);
}

/** Asks where to and writes a picture or table that a view made; false when the person changed their mind. */
export async function saveText(lab: Lab, name: string, text: string): Promise<boolean> {
  const extension = path.extname(name).slice(1);
  const target = await vscode.window.showSaveDialog({
    title: 'Save',
    filters: { [extension.toUpperCase()]: [extension] },
    defaultUri: vscode.Uri.joinPath(folder(lab), name),
  });
  if (!target) return false;
  await vscode.workspace.fs.writeFile(target, new TextEncoder().encode(text));
  void reveal([target.fsPath]);
  return true;
}
