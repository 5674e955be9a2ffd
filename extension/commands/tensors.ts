import path from 'node:path';
import * as vscode from 'vscode';
import type { RunInfo } from '../../server/protocol/runs.js';
import { CHECKPOINT_EDITOR } from '../checkpointEditor.js';
import type { Lab } from '../lab.js';
import { withSteps } from '../progress.js';
import { activeCheckpoint, chooseModel, openModel, pathOf } from './models.js';
import { settled } from './prompt.js';

/** What a keybinding may say beforehand; what it leaves out is asked. */
interface TensorArguments {
  readonly path?: string;
  /** A .safetensors or .npz with tensors by the names of the model's inputs, or a .npy that is its one input. */
  readonly inputs: string;
  readonly probes?: readonly string[];
  readonly out?: string;
}

const isTensorArguments = (argument: unknown): argument is TensorArguments =>
  typeof argument === 'object' && argument !== null && 'inputs' in argument && typeof argument.inputs === 'string';

/** Runs a model on tensors of a file, writes what it says and the values asked for, and opens them in the viewer of tensors. */
export async function runTensorsCommand(lab: Lab, argument: unknown): Promise<void> {
  const given = isTensorArguments(argument) ? argument : null;
  const file = await chooseModel(lab, given?.path ?? pathOf(argument) ?? activeCheckpoint(), 'Run which model on tensors?');
  if (file === null) return;
  const inputs = given?.inputs ?? (await askInputs());
  if (inputs === null) return;
  const model = await openModel(lab, file);
  const { sampling } = model;
  const recipe = { path: model.path, prompt: null, ids: null, inputs, chat: false, maxTokens: 0, sampling, branch: null };
  const run = await lab.server.request('runs/start', recipe);
  await settled(lab, run.id);
  lab.selection.select({ run: run.id });
  const probes = given?.probes ?? (await askValues(model.probes));
  if (!probes) return;
  const out = given?.out ?? (await askOut(run, inputs));
  if (out === null) return;
  const { files } = await withSteps(`Writing ${path.basename(out)}`, (options) =>
    lab.server.request('runs/export', { run: run.id, file: out, probes }, options),
  );
  const [written] = files;
  if (written) await vscode.commands.executeCommand('vscode.openWith', vscode.Uri.file(written), CHECKPOINT_EDITOR);
}

async function askInputs(): Promise<string | null> {
  const [uri] =
    (await vscode.window.showOpenDialog({
      title: 'Tensors by the names of the inputs',
      filters: { Tensors: ['safetensors', 'npy', 'npz'] },
      openLabel: 'Run on these',
    })) ?? [];
  return uri?.fsPath ?? null;
}

/** Outputs are always written; these are values inside the model. */
async function askValues(names: readonly string[]): Promise<readonly string[] | null> {
  const items = names.map((label) => ({ label }));
  const picked = await vscode.window.showQuickPick(items, {
    title: 'Which inner values besides the outputs?',
    canPickMany: true,
  });
  return picked?.map(({ label }) => label) ?? null;
}

async function askOut({ modelName }: RunInfo, inputs: string): Promise<string | null> {
  const defaultUri = vscode.Uri.file(path.join(path.dirname(inputs), `${modelName}-values.safetensors`));
  const target = await vscode.window.showSaveDialog({
    title: 'Write the values',
    filters: { Safetensors: ['safetensors'] },
    defaultUri,
  });
  return target?.fsPath ?? null;
}
