import path from 'node:path';
import * as vscode from 'vscode';
import type { ModelInfo } from '../../server/protocol/models.js';
import { CHECKPOINT_EDITOR, compared } from '../checkpointEditor.js';
import { formatCount } from '../format.js';
import type { Lab } from '../lab.js';
import { pickModel } from '../pickModel.js';
import { withSteps } from '../progress.js';
import { isModelEntry } from '../trees/models.js';

/** The path a command was called with: by a tree, the Explorer, an editor title, a code lens; null from the palette. */
export function pathOf(argument: unknown): string | null {
  if (typeof argument === 'string') return argument;
  if (argument instanceof vscode.Uri) return argument.fsPath;
  return isModelEntry(argument) ? argument.path : null;
}

/** The model file or folder that the active tab shows. */
export function activeCheckpoint(): string | null {
  const { input } = vscode.window.tabGroups.activeTabGroup.activeTab ?? {};
  return input instanceof vscode.TabInputCustom && input.viewType === CHECKPOINT_EDITOR ? input.uri.fsPath : null;
}

/** The given path, or one that the person picks; the model on screen is offered first. Whether it is a model the server says. */
export async function chooseModel(lab: Lab, given: string | null, title: string): Promise<string | null> {
  const chosen = given ?? (await pickModel(lab, title, activeCheckpoint()));
  // A config.json stands for its folder.
  return chosen !== null && path.basename(chosen) === 'config.json' ? path.dirname(chosen) : chosen;
}

/** The name of a model's folder or file; in the cache of Hugging Face's tools, where folders are named after commits, that of its repository. */
const nameOf = (file: string): string =>
  /models--(.+?)[/\\]snapshots[/\\]/.exec(file)?.[1]?.replaceAll('--', '/') ?? path.basename(file);

/** Opens the model in the server, with progress and a way to cancel. At once when it is open already. */
export async function openModel(lab: Lab, file: string): Promise<ModelInfo> {
  const open = lab.session.models.find((model) => model.path === file);
  if (open) return open;
  return withSteps(`Opening ${nameOf(file)}`, (options) => lab.server.request('models/open', { path: file }, options));
}

export async function openModelCommand(lab: Lab, argument: unknown): Promise<void> {
  const file = await chooseModel(lab, pathOf(argument), 'Open a model');
  if (file === null) return;
  const model = await openModel(lab, file);
  vscode.window.setStatusBarMessage(`$(check) ${model.name} is open`, 4000);
}

export async function unloadModelCommand(lab: Lab, argument: unknown): Promise<void> {
  const file = isModelEntry(argument) ? argument.path : null;
  const open = lab.session.models;
  const model = file === null ? await pickOpen(open) : open.find((candidate) => candidate.path === file);
  if (!model) return;
  const runs = lab.session.runs.filter((run) => run.model === model.id).length;
  await lab.server.request('models/close', { model: model.id });
  const gone = runs === 0 ? '' : `, and ${formatCount(runs, 'run')} with it`;
  vscode.window.setStatusBarMessage(`$(check) ${model.name} is unloaded${gone}`, 4000);
}

async function pickOpen(models: readonly ModelInfo[]): Promise<ModelInfo | undefined> {
  if (models.length < 2) return models[0];
  const items = models.map((model) => ({ label: model.name, description: model.path, model }));
  return (await vscode.window.showQuickPick(items, { title: 'Unload which model?' }))?.model;
}

/** Opens the header view: it needs neither memory nor trust. */
export async function inspectCommand(lab: Lab, argument: unknown): Promise<void> {
  const file = await chooseModel(lab, pathOf(argument), 'Inspect a model');
  if (file !== null) await vscode.commands.executeCommand('vscode.openWith', vscode.Uri.file(file), CHECKPOINT_EDITOR);
}

/** Two files chosen in the Explorer, or one and another that is picked. */
export async function compareCheckpointsCommand(lab: Lab, argument: unknown, selected: unknown): Promise<void> {
  const [first = pathOf(argument), second = null] = Array.isArray(selected) && selected.length === 2 ? selected.map(pathOf) : [];
  const a = await chooseModel(lab, first, 'Compare which checkpoint?');
  const b = a === null ? null : await chooseModel(lab, second, `Compare ${path.basename(a)} with`);
  if (a !== null && b !== null) await vscode.commands.executeCommand('vscode.openWith', compared(a, b), CHECKPOINT_EDITOR);
}
