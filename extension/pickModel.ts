import path from 'node:path';
import * as vscode from 'vscode';
import { type ModelEntry, modelExtensions } from '../server/protocol/models.js';
import { formatBytes } from './format.js';
import type { Lab } from './lab.js';

type Item = vscode.QuickPickItem & { readonly choice?: string | (() => Promise<string | null>) };

const FILES = [...modelExtensions, 'bin'];

const SOURCES = [
  { source: 'workspace', label: 'In this workspace' },
  { source: 'embedded', label: 'Embedded' },
  { source: 'cache', label: 'In the Hugging Face cache' },
  { source: 'recent', label: 'Recently opened' },
] as const;

/**
 * Asks for a model: the one on screen, an open one, one that was found, or one to look for. Null when the person changed their mind.
 * @param active path of the model on screen, offered first
 */
export async function pickModel(
  { models, session }: Pick<Lab, 'models' | 'session'>,
  title: string,
  active: string | null = null,
): Promise<string | null> {
  const items = models.entries().then((entries) => {
    const others = entries.filter(({ path }) => path !== active);
    return [...activeItems(active), ...modelItems(others, new Set(session.models.map(({ path }) => path)))];
  });
  const picked = await vscode.window.showQuickPick<Item>(items, {
    title,
    placeHolder: 'Choose a model, or type to filter',
    matchOnDescription: true,
  });
  if (!picked?.choice) return null;
  return typeof picked.choice === 'string' ? picked.choice : picked.choice();
}

function modelItems(entries: readonly ModelEntry[], open: ReadonlySet<string>): Item[] {
  const found = entries.filter(({ path }) => !open.has(path));
  return [
    ...group('Open', entries.filter(({ path }) => open.has(path)).filter(firstOfPath)),
    ...SOURCES.flatMap(({ source, label }) =>
      group(
        label,
        found.filter((entry) => entry.source === source),
      ),
    ),
    { label: 'Elsewhere', kind: vscode.QuickPickItemKind.Separator },
    {
      label: '$(folder-opened) Choose a folder…',
      description: 'with config.json, or with a single model file',
      choice: () => browse(true),
    },
    {
      label: '$(file) Choose a file…',
      description: FILES.map((extension) => `.${extension}`).join(', '),
      choice: () => browse(false),
    },
    {
      label: '$(cloud-download) Open from Hugging Face…',
      description: 'looks at the headers before it downloads',
      choice: async () => {
        await vscode.commands.executeCommand('modelLab.showHub');
        return null;
      },
    },
  ];
}

const activeItems = (active: string | null): Item[] =>
  active === null
    ? []
    : [
        { label: 'On screen', kind: vscode.QuickPickItemKind.Separator },
        { label: path.basename(active), detail: vscode.workspace.asRelativePath(active), choice: active },
      ];

const firstOfPath = (entry: ModelEntry, index: number, entries: readonly ModelEntry[]) =>
  entries.findIndex(({ path }) => path === entry.path) === index;

function group(label: string, entries: readonly ModelEntry[]): Item[] {
  if (entries.length === 0) return [];
  const items = entries.map((entry) => ({
    label: entry.name,
    description: `${entry.format} · ${formatBytes(entry.bytes)}`,
    detail: vscode.workspace.asRelativePath(entry.path),
    choice: entry.path,
  }));
  return [{ label, kind: vscode.QuickPickItemKind.Separator }, ...items];
}

async function browse(folder: boolean): Promise<string | null> {
  const [uri] =
    (await vscode.window.showOpenDialog({
      canSelectFiles: !folder,
      canSelectFolders: folder,
      openLabel: 'Open in Model Lab',
      ...(!folder && { filters: { 'Model files': FILES } }),
    })) ?? [];
  return uri?.fsPath ?? null;
}
