import * as vscode from 'vscode';
import type { ModelInfo } from '../server/protocol/models.js';
import type { RunId, RunInfo, RunStatus } from '../server/protocol/runs.js';
import type { SharedSelection } from './selection.js';
import type { Server } from './server.js';

/** What a change was about; `selection` is another active run. */
export type Changed = 'models' | 'runs' | 'selection';

const RUNNING: ReadonlySet<RunStatus> = new Set<RunStatus>(['queued', 'prefill', 'decode']);

export const isRunning = (run: RunInfo): boolean => RUNNING.has(run.status);

/** What is open in the server, as its events tell: the lists that trees, status bar and commands read. */
export class Session implements vscode.Disposable {
  readonly #server: Server;
  readonly #selection: SharedSelection;
  readonly #changed = new vscode.EventEmitter<Changed>();
  readonly #subscriptions: vscode.Disposable[];
  #models: readonly ModelInfo[] = [];
  #runs: ReadonlyMap<RunId, RunInfo> = new Map();
  #told = '';
  #known = false;
  readonly #context = new Map<string, boolean>();

  readonly onChange = this.#changed.event;

  constructor(server: Server, selection: SharedSelection) {
    this.#server = server;
    this.#selection = selection;
    this.#subscriptions = [
      server.on('models/changed', ({ models }) => this.#update({ models })),
      server.on('runs/changed', ({ run }) => this.#update({ runs: new Map(this.#runs).set(run.id, run) })),
      server.on('runs/removed', ({ run }) => {
        this.#update({ runs: without(this.#runs, run) });
        this.#forgetRun();
      }),
      server.on('restored', () => void this.#refresh()),
      server.onStatus((status) => {
        if (status === 'ready') void this.#refresh();
        else this.#know(status === 'stopped');
        if (status === 'stopped') this.#update({ models: [], runs: new Map() });
      }),
      selection.onChange(() => this.#update({})),
    ];
  }

  get models(): readonly ModelInfo[] {
    return this.#models;
  }

  /** False while the server starts and brings back the runs of the last session: that there are none cannot be said yet. */
  get known(): boolean {
    return this.#known;
  }

  /** Newest first. */
  get runs(): readonly RunInfo[] {
    return [...this.#runs.values()].sort((a, b) => b.created - a.created);
  }

  run(id: RunId): RunInfo | null {
    return this.#runs.get(id) ?? null;
  }

  /** The selected run. */
  get activeRun(): RunInfo | null {
    return this.#runs.get(this.#selection.value.run ?? '') ?? null;
  }

  /** The model of the selected run, or the one opened last. */
  get activeModel(): ModelInfo | null {
    const id = this.activeRun?.model;
    return this.#models.find((model) => model.id === id) ?? this.#models.at(-1) ?? null;
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions, this.#changed).dispose();
  }

  async #refresh(): Promise<void> {
    try {
      const [models, runs] = await Promise.all([this.#server.request('models/list', {}), this.#server.request('runs/list', {})]);
      this.#told = '';
      this.#known ||= !this.#server.restoring;
      this.#update({ models, runs: new Map(runs.map((run) => [run.id, run])) });
      if (!this.#server.restoring) this.#forgetRun();
    } catch {
      // The server went away again; its next start refreshes.
    }
  }

  #know(known: boolean): void {
    this.#known = known;
    this.#update({});
  }

  /** A selected run that is gone is none: its name may come to mean another one. */
  #forgetRun(): void {
    const { run } = this.#selection.value;
    if (run !== null && !this.#runs.has(run)) this.#selection.select({ run: null });
  }

  #update(change: { models?: readonly ModelInfo[]; runs?: ReadonlyMap<RunId, RunInfo> }): void {
    this.#models = change.models ?? this.#models;
    this.#runs = change.runs ?? this.#runs;
    this.#changed.fire(change.models ? 'models' : change.runs ? 'runs' : 'selection');
    this.#setContext();
    this.#tellLanguage();
  }

  #setContext(): void {
    const context = {
      'modelLab.hasModel': this.#models.length > 0,
      'modelLab.hasRun': this.activeRun !== null,
      'modelLab.runsKnown': this.#known,
      'modelLab.running': [...this.#runs.values()].some(isRunning),
    };
    for (const [key, value] of Object.entries(context)) {
      if (this.#context.get(key) === value) continue;
      this.#context.set(key, value);
      void vscode.commands.executeCommand('setContext', key, value);
    }
  }

  /** Hovers show numbers of the model and run on screen. */
  #tellLanguage(): void {
    const active = { model: this.activeModel?.id ?? null, run: this.activeRun?.id ?? null, layer: this.#selection.value.layer };
    const told = JSON.stringify(active);
    if (told === this.#told || this.#server.status !== 'ready') return;
    this.#told = told;
    this.#server.request('language/active', active).catch(() => undefined);
  }
}

const without = (runs: ReadonlyMap<RunId, RunInfo>, id: RunId) => new Map([...runs].filter(([other]) => other !== id));
