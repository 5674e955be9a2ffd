import path from 'node:path';
import * as vscode from 'vscode';
import { cancelled, LabError } from '../../server/protocol/errors.js';
import type { ModelInfo } from '../../server/protocol/models.js';
import type { RunId, RunInfo } from '../../server/protocol/runs.js';
import type { Lab } from '../lab.js';
import { withSteps } from '../progress.js';
import { focusPromptView } from '../promptView.js';
import { isRunning } from '../session.js';
import { activeCheckpoint, chooseModel, openModel, pathOf } from './models.js';

const MAX_TOKENS = 64;

const selectionEmpty = () =>
  new LabError({ code: 'SELECTION_EMPTY', message: 'No text is selected.', hint: 'Select text in an editor first.' });

/** The text of all selections of the active editor. Errors: SELECTION_EMPTY. */
export function selectedText(): string {
  const editor = vscode.window.activeTextEditor;
  const text = editor?.selections.map((selection) => editor.document.getText(selection)).join('\n') ?? '';
  if (text === '') throw selectionEmpty();
  return text;
}

/** What a keybinding may say beforehand; what it leaves out is asked. */
interface PromptArguments {
  readonly path?: string;
  readonly prompt: string;
  /** As a user's turn in the model's chat template. */
  readonly chat?: boolean;
}

const isPromptArguments = (argument: unknown): argument is PromptArguments =>
  typeof argument === 'object' && argument !== null && 'prompt' in argument && typeof argument.prompt === 'string';

export async function promptCommand(lab: Lab, argument: unknown): Promise<void> {
  const given = isPromptArguments(argument) ? argument : null;
  const file = await chooseModel(lab, given?.path ?? pathOf(argument), 'Prompt which model?');
  if (file === null) return;
  const prompt = given?.prompt ?? (await askPrompt(path.basename(file)));
  if (prompt === null) return;
  const model = await openModel(lab, file);
  const chat = model.hasChatTemplate ? (given?.chat ?? (await askChat(model))) : false;
  if (chat !== null) await run(lab, model, prompt, chat);
}

/** The text as it is, without asking, with the model on screen; asks for one when there is none. */
export async function promptSelectionCommand(lab: Lab): Promise<void> {
  const prompt = selectedText();
  const file = lab.session.activeModel?.path ?? (await chooseModel(lab, null, 'Prompt which model?'));
  if (file !== null) await run(lab, await openModel(lab, file), prompt, false);
}

/** A code lens or a menu named the model: open it and leave the typing to the prompt box. */
export async function runPathCommand(lab: Lab, argument: unknown): Promise<void> {
  const file = await chooseModel(lab, pathOf(argument) ?? activeCheckpoint(), 'Run which model?');
  if (file === null) return;
  await openModel(lab, file);
  await focusPromptView();
}

export async function promptEmbeddedCommand(lab: Lab, argument: unknown): Promise<void> {
  const prompt = isPromptArguments(argument) ? argument.prompt : await askPrompt('all embedded models');
  if (prompt === null) return;
  const models: ModelInfo[] = [];
  for (const file of lab.embedded) models.push(await openModel(lab, file));
  const runs = await Promise.all(models.map((model) => start(lab, model, prompt, false)));
  if (runs[0]) lab.selection.select({ run: runs[0].id });
  lab.panels.show('compare');
}

async function run(lab: Lab, model: ModelInfo, prompt: string, chat: boolean): Promise<void> {
  await follow(lab, await start(lab, model, prompt, chat));
}

/** Shows a run that was started, and how far it is until its input went through the model. */
export async function follow(lab: Lab, started: RunInfo): Promise<void> {
  lab.selection.select({ run: started.id });
  await focusPromptView();
  await prefilled(lab, started);
}

const start = (lab: Lab, { path, sampling }: ModelInfo, prompt: string, chat: boolean): Promise<RunInfo> =>
  lab.server.request('runs/start', {
    path,
    prompt,
    ids: null,
    chat,
    maxTokens: MAX_TOKENS,
    sampling,
    branch: null,
  });

async function askPrompt(model: string): Promise<string | null> {
  const prompt = await vscode.window.showInputBox({
    title: `Prompt ${model}`,
    prompt: 'The text the model goes on from',
    value: '',
  });
  return prompt === undefined || prompt === '' ? null : prompt;
}

/** Null when the person changed their mind. */
async function askChat({ name }: ModelInfo): Promise<boolean | null> {
  const items = [
    { label: 'As it is', description: 'the model goes on from the text', chat: false },
    { label: 'As a user’s turn', description: 'in the model’s chat template', chat: true },
  ];
  return (await vscode.window.showQuickPick(items, { title: `Prompt ${name}: how?` }))?.chat ?? null;
}

/** Shows progress until the prompt went through the model; cancelling stops the run. */
function prefilled(lab: Lab, { id, title }: RunInfo): Promise<void> {
  return withSteps(`Prompt: ${title}`, ({ token }) => {
    token?.onCancellationRequested(() => void lab.server.request('runs/stop', { run: id }).catch(() => undefined));
    return settled(lab, id);
  });
}

/** Resolves when the run is past its prefill; rejects when it failed there. */
export async function settled(lab: Lab, id: RunId): Promise<void> {
  const waiting = ({ status }: RunInfo) => status === 'queued' || status === 'prefill';
  let run = lab.session.run(id);
  while (run === null || waiting(run)) {
    await new Promise<void>((resolve) => {
      const listener = lab.session.onChange(() => {
        listener.dispose();
        resolve();
      });
    });
    if (lab.server.status === 'stopped') throw cancelled();
    run = lab.session.run(id);
  }
  if (run.error && !isRunning(run)) throw new LabError(run.error);
}
