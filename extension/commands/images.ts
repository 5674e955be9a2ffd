import path from 'node:path';
import * as vscode from 'vscode';
import { LabError } from '../../server/protocol/errors.js';
import type { ModelInfo } from '../../server/protocol/models.js';
import type { Lab } from '../lab.js';
import { pickModel } from '../pickModel.js';
import { openModel } from './models.js';
import { follow } from './prompt.js';

/** VS Code's own preview of images. */
const PREVIEW = 'imagePreview.previewEditor';
/** Headers read to find models that take images: those of a workspace, not those of a disk. */
const MOST_HEADERS = 60;

const isImage = (file: string): boolean => /\.(png|jpe?g)$/i.test(file);

const noImages = ({ name, inputs }: ModelInfo) =>
  new LabError({
    code: 'INPUT_UNKNOWN',
    message: `${name} takes no image.`,
    hint: `Its inputs are ${inputs.map((input) => input.name).join(', ')}: choose a vision model.`,
  });

/** What a keybinding may say beforehand; what it leaves out is asked. */
interface ImageArguments {
  readonly image: string;
  readonly path?: string;
}

const isImageArguments = (argument: unknown): argument is ImageArguments =>
  typeof argument === 'object' && argument !== null && 'image' in argument && typeof argument.image === 'string';

/** Runs a vision model on a PNG or JPEG: that of the menu, the one on screen, or one that is asked for. */
export async function runOnImageCommand(lab: Lab, argument: unknown): Promise<void> {
  const given = isImageArguments(argument) ? argument : null;
  const image = given?.image ?? imageOf(argument) ?? activeImage() ?? (await pickImage());
  if (image === null) return;
  const file = given?.path ?? (await chooseVisionModel(lab, path.basename(image)));
  if (file === null) return;
  const model = await openModel(lab, file);
  if (!takesImages(model)) throw noImages(model);
  const { sampling } = model;
  const asked = { path: model.path, prompt: null, ids: null, image, chat: false, maxTokens: 0, sampling, branch: null };
  await follow(lab, await lab.server.request('runs/start', asked));
}

/** Asks for a PNG or JPEG. Null when the person changed their mind. */
export async function pickImage(): Promise<string | null> {
  const [uri] =
    (await vscode.window.showOpenDialog({
      title: 'Choose an image',
      openLabel: 'Give to the model',
      filters: { Images: ['png', 'jpg', 'jpeg'] },
    })) ?? [];
  return uri?.fsPath ?? null;
}

const imageOf = (argument: unknown): string | null =>
  argument instanceof vscode.Uri && isImage(argument.fsPath) ? argument.fsPath : null;

function activeImage(): string | null {
  const { input } = vscode.window.tabGroups.activeTabGroup.activeTab ?? {};
  return input instanceof vscode.TabInputCustom && input.viewType === PREVIEW ? imageOf(input.uri) : null;
}

const takesImages = ({ inputs }: Pick<ModelInfo, 'inputs'>): boolean => inputs.some(({ name }) => name === 'pixel_values');

type Item = vscode.QuickPickItem & { readonly path?: string; readonly other?: true };

/** The open model that takes images when there is one, the only one there is, or one that the person picks. */
async function chooseVisionModel(lab: Lab, image: string): Promise<string | null> {
  const open = lab.session.models.filter(takesImages);
  if (open.length === 1 && open[0]) return open[0].path;
  const found = open.length > 0 ? open.map(({ path, name }) => ({ path, name })) : await visionModels(lab);
  if (found.length === 1 && found[0]) return found[0].path;
  const title = `Run which model on ${image}?`;
  if (found.length === 0) return pickModel(lab, title);
  const items: Item[] = [
    ...found.map(({ path: file, name }) => ({ label: name, detail: vscode.workspace.asRelativePath(file), path: file })),
    { label: '$(folder-opened) Another model…', other: true },
  ];
  const picked = await vscode.window.showQuickPick(items, { title });
  return picked?.other ? pickModel(lab, title) : (picked?.path ?? null);
}

/** Among the models that are found, those whose headers say that they take images. */
async function visionModels(lab: Lab): Promise<{ readonly path: string; readonly name: string }[]> {
  const entries = (await lab.models.entries()).slice(0, MOST_HEADERS);
  const headers = await Promise.all(
    entries.map(async ({ path, name }) => {
      const header = await lab.server.request('models/inspect', { path }).catch((error) => {
        lab.log.error(String(error));
        return null;
      });
      return header && takesImages(header) ? { path, name } : null;
    }),
  );
  return headers.filter((model) => model !== null);
}
