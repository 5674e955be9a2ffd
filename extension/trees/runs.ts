import * as vscode from 'vscode';
import type { RunInfo } from '../../server/protocol/runs.js';
import { formatCount } from '../format.js';
import type { SharedSelection } from '../selection.js';
import { isRunning, type Session } from '../session.js';

const ID = 'modelLab.runs';
const LABEL = 18;

export const isRunInfo = (node: unknown): node is RunInfo => typeof node === 'object' && node !== null && 'recipe' in node;

/** Runs, newest first. Selecting one makes it the active run of all views. */
export class RunsTree implements vscode.TreeDataProvider<RunInfo>, vscode.Disposable {
  readonly #session: Session;
  readonly #selection: SharedSelection;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #view: vscode.TreeView<RunInfo>;
  readonly #subscriptions: vscode.Disposable[];

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(session: Session, selection: SharedSelection) {
    this.#session = session;
    this.#selection = selection;
    this.#view = vscode.window.createTreeView(ID, { treeDataProvider: this });
    this.#say();
    this.#subscriptions = [
      this.#view,
      this.#changed,
      session.onChange(() => {
        this.#say();
        this.#changed.fire();
      }),
      selection.onChange(() => void this.#reveal()),
    ];
  }

  getChildren(node?: RunInfo): RunInfo[] {
    return node ? [] : [...this.#session.runs];
  }

  /** Needed to reveal a run; all of them are roots. */
  getParent(): null {
    return null;
  }

  getTreeItem(run: RunInfo): vscode.TreeItem {
    const item = new vscode.TreeItem(run.title === '' ? '(empty prompt)' : shortened(run.title));
    const active = run.id === this.#selection.value.run;
    item.id = run.id;
    item.description = [run.modelName, clock(run.created), formatCount(run.tokens, 'token'), status(run)]
      .filter(Boolean)
      .join(' · ');
    item.iconPath = icon(run, active);
    item.contextValue = isRunning(run) ? 'run.running' : 'run.ended';
    item.tooltip = tooltip(run);
    item.command = { command: 'modelLab.selectRun', title: 'Make Active', arguments: [run] };
    item.accessibilityInformation = { label: `${active ? 'active run, ' : ''}${run.title || item.label}, ${item.description}` };
    return item;
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  #say(): void {
    this.#view.message = this.#session.known ? '' : 'Looking for the runs of the last session…';
  }

  async #reveal(): Promise<void> {
    this.#changed.fire();
    const run = this.#session.activeRun;
    if (run && this.#view.visible) await this.#view.reveal(run, { select: true, focus: false }).then(undefined, () => undefined);
  }
}

/** Leaves room for the model, which is what tells runs of one prompt apart. */
const shortened = (title: string) => (title.length > LABEL ? `${title.slice(0, LABEL)}…` : title);

const clock = (time: number) => new Date(time).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });

const status = ({ status, error }: RunInfo): string => (status === 'done' ? '' : error ? `failed: ${error.code}` : status);

function icon(run: RunInfo, active: boolean): vscode.ThemeIcon {
  if (isRunning(run)) return new vscode.ThemeIcon('loading~spin');
  if (run.status === 'failed') return new vscode.ThemeIcon('error', new vscode.ThemeColor('errorForeground'));
  return active
    ? new vscode.ThemeIcon('circle-filled', new vscode.ThemeColor('charts.blue'))
    : new vscode.ThemeIcon('circle-outline');
}

function tooltip(run: RunInfo): string {
  const { recipe, promptTokens, tokens, prefillMs, tokensPerSecond, loss, error, reused, dropped } = run;
  return [
    recipe.prompt ?? recipe.image ?? `${formatCount(recipe.ids?.length ?? 0, 'id')} given`,
    `${promptTokens} prompt + ${tokens - promptTokens} generated tokens`,
    reused > 0 ? `reused ${formatCount(reused, 'token')} of a run with the same beginning` : '',
    dropped ? 'memory freed: its tokens are run again when you look inside' : '',
    `prefill ${Math.round(prefillMs)} ms${tokensPerSecond === null ? '' : `, ${tokensPerSecond.toFixed(1)} tokens/s`}`,
    loss === null ? '' : `loss ${loss.toFixed(3)} nats/token`,
    error ? `${error.message} (${error.hint})` : '',
  ]
    .filter(Boolean)
    .join('\n');
}
