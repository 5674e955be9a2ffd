import * as vscode from 'vscode';
import type { Selection } from '../server/protocol/host.js';
import { isSelectionChange } from './messages.js';

const KEY = 'modelLab.selection';
const KEYS = ['run', 'token', 'layer', 'head', 'tensor'] as const;
const NOTHING: Selection = { run: null, token: null, layer: 0, head: 0 };

/** The one selection all views share. It is kept in the workspace's state, so it survives reload. */
export class SharedSelection implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<Selection>();
  readonly #memento: vscode.Memento;
  #value: Selection;

  readonly onChange = this.#changed.event;

  constructor(memento: vscode.Memento) {
    this.#memento = memento;
    const stored: unknown = memento.get(KEY);
    this.#value = isSelectionChange(stored) ? { ...NOTHING, ...stored } : NOTHING;
  }

  get value(): Selection {
    return this.#value;
  }

  /** A token belongs to its run: another run without a token named means no token. */
  select(change: Partial<Selection>): void {
    const old = this.#value;
    const otherRun = change.run !== undefined && change.run !== old.run;
    const next = { ...old, ...(otherRun && { token: null }), ...change };
    if (KEYS.every((key) => next[key] === old[key])) return;
    this.#value = next;
    void this.#memento.update(KEY, next);
    this.#changed.fire(next);
  }

  dispose(): void {
    this.#changed.dispose();
  }
}
