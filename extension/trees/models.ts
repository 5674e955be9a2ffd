import * as vscode from 'vscode';
import { type ModelEntry, modelExtensions } from '../../server/protocol/models.js';
import { modelFolders, workspaceFolders } from '../folders.js';
import { formatBytes } from '../format.js';
import type { Server } from '../server.js';
import type { Session } from '../session.js';

const ID = 'modelLab.models';
const REFRESH_DELAY_MS = 300;
/** What may be a model, or belong to one. */
const MODEL_FILES = `**/{config.json,pytorch_model*.bin,${modelExtensions.map((extension) => `*.${extension}`).join()}}`;

const GROUPS = [
  { source: 'workspace', label: 'Workspace' },
  { source: 'embedded', label: 'Embedded' },
  { source: 'cache', label: 'Hugging Face cache' },
  { source: 'recent', label: 'Recent' },
] as const;

type Group = (typeof GROUPS)[number];
export type ModelNode = Group | ModelEntry;

export const isModelEntry = (node: unknown): node is ModelEntry =>
  typeof node === 'object' && node !== null && 'path' in node && 'source' in node;

/** Model files that were found, by where they come from; open ones say their memory and provider. */
export class ModelsTree implements vscode.TreeDataProvider<ModelNode>, vscode.Disposable {
  readonly #server: Server;
  readonly #session: Session;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #loading = new Map<string, number>();
  readonly #subscriptions: vscode.Disposable[];
  #entries: Promise<readonly ModelEntry[]> | null = null;
  #timer: NodeJS.Timeout | undefined;

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(server: Server, session: Session) {
    this.#server = server;
    this.#session = session;
    const watcher = vscode.workspace.createFileSystemWatcher(MODEL_FILES, false, true, false);
    const refresh = () => this.refresh();
    this.#subscriptions = [
      watcher,
      watcher.onDidCreate(refresh),
      watcher.onDidDelete(refresh),
      vscode.workspace.onDidChangeWorkspaceFolders(refresh),
      server.onStatus((status) => status === 'ready' && this.refresh()),
      server.on('models/changed', () => {
        this.#loading.clear();
        this.refresh();
      }),
      server.on('models/loading', ({ path, done, total }) => {
        if (done >= total) this.#loading.delete(path);
        else this.#loading.set(path, done / total);
        this.#changed.fire();
      }),
      session.onChange((what) => what === 'models' && this.#changed.fire()),
      vscode.window.createTreeView(ID, { treeDataProvider: this, showCollapseAll: false }),
    ];
  }

  /** Looks for model files again, soon: many files may change at once. */
  refresh(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#entries = null;
      this.#changed.fire();
      void this.#tellFolders();
    }, REFRESH_DELAY_MS);
  }

  async entries(): Promise<readonly ModelEntry[]> {
    this.#entries ??= this.#server.request('models/find', { folders: workspaceFolders() });
    try {
      return await this.#entries;
    } catch (error) {
      this.#entries = null;
      throw error;
    }
  }

  async getChildren(node?: ModelNode): Promise<ModelNode[]> {
    if (node && isModelEntry(node)) return [];
    const entries = await this.entries();
    if (node) return entries.filter(({ source }) => source === node.source);
    return GROUPS.filter(({ source }) => entries.some((entry) => entry.source === source));
  }

  getTreeItem(node: ModelNode): vscode.TreeItem {
    if (!isModelEntry(node)) {
      const group = new vscode.TreeItem(node.label, vscode.TreeItemCollapsibleState.Expanded);
      group.id = node.source;
      return group;
    }
    return this.#item(node);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    vscode.Disposable.from(...this.#subscriptions, this.#changed).dispose();
  }

  /** The Explorer offers its menu on these folders; the view need not have been opened for that. */
  async #tellFolders(): Promise<void> {
    const entries = await this.entries().catch(() => []);
    await vscode.commands.executeCommand('setContext', 'modelLab.modelFolders', await modelFolders(entries));
    // until then every folder offers the menu: the extension may not have started yet
    await vscode.commands.executeCommand('setContext', 'modelLab.modelFoldersKnown', true);
  }

  #item(entry: ModelEntry): vscode.TreeItem {
    const item = new vscode.TreeItem(entry.name);
    const open = this.#session.models.find(({ path }) => path === entry.path);
    const loading = this.#loading.get(entry.path);
    item.id = `${entry.source}:${entry.path}`;
    item.command = { command: 'modelLab.inspectPath', title: 'Inspect', arguments: [entry] };
    if (open) {
      item.description = `${formatBytes(open.memory)} · ${open.provider}`;
      item.iconPath = new vscode.ThemeIcon('circle-filled', new vscode.ThemeColor('charts.green'));
      item.contextValue = 'model.open';
    } else if (loading !== undefined) {
      item.description = `loading ${Math.round(loading * 100)} %`;
      item.iconPath = new vscode.ThemeIcon('loading~spin');
      item.contextValue = 'model.loading';
    } else {
      item.description = `${entry.format} · ${formatBytes(entry.bytes)}`;
      item.iconPath = new vscode.ThemeIcon('circle-outline');
      item.contextValue = 'model.closed';
    }
    item.tooltip = [entry.path, open ? `open: ${open.family}, ${open.dtype}` : 'not loaded'].join('\n');
    item.accessibilityInformation = { label: `${entry.name}, ${open ? 'open' : 'not loaded'}, ${item.description}` };
    return item;
  }
}
