import * as vscode from 'vscode';
import { type InspectorId, inspectors } from '../server/protocol/host.js';
import type { Views } from './views.js';

const TITLES: Readonly<Record<InspectorId, string>> = {
  attention: 'Attention',
  cache: 'KV Cache',
  state: 'State',
  weights: 'Weights',
  architecture: 'Architecture',
  compare: 'Compare Runs',
  tokenizer: 'Tokenizer Lab',
  hub: 'Hugging Face',
};

const viewType = (inspector: InspectorId) => `modelLab.${inspector}`;

/** True when an inspector is open as a tab, loaded or not yet: after a reload of the window, for instance. */
export const hasInspectorTab = (): boolean =>
  vscode.window.tabGroups.all
    .flatMap(({ tabs }) => tabs)
    .some(
      ({ input }) => input instanceof vscode.TabInputWebview && inspectors.some((id) => input.viewType.endsWith(viewType(id))),
    );

/** The inspectors as panels: one of each, restored when the window is. */
export class Panels implements vscode.Disposable {
  readonly #views: Views;
  readonly #panels = new Map<InspectorId, vscode.WebviewPanel>();
  readonly #serializers: vscode.Disposable[];

  constructor(views: Views) {
    this.#views = views;
    this.#serializers = inspectors.map((inspector) =>
      vscode.window.registerWebviewPanelSerializer(viewType(inspector), {
        deserializeWebviewPanel: async (panel) => this.#adopt(inspector, panel),
      }),
    );
  }

  /**
   * A new one opens beside other inspectors when there are any, else in the active group. `path`: a model to look at that need not be open,
   * `tab`: the part of the view to begin with; with either it begins anew.
   */
  show(inspector: InspectorId, path: string | null = null, tab: string | null = null): void {
    const open = this.#panels.get(inspector);
    if (open && path === null && tab === null) {
      open.reveal();
      return;
    }
    open?.dispose();
    const neighbour = [...this.#panels.values()][0];
    // The lab is about the text in the active editor, which is to stay in sight.
    const otherwise = inspector === 'tokenizer' ? vscode.ViewColumn.Beside : vscode.ViewColumn.Active;
    const column = neighbour?.viewColumn ?? otherwise;
    this.#adopt(
      inspector,
      vscode.window.createWebviewPanel(viewType(inspector), TITLES[inspector], column, this.#views.webviewOptions),
      path,
      tab,
    );
  }

  dispose(): void {
    vscode.Disposable.from(...this.#serializers, ...this.#panels.values()).dispose();
  }

  #adopt(inspector: InspectorId, panel: vscode.WebviewPanel, path: string | null = null, tab: string | null = null): void {
    this.#panels.get(inspector)?.dispose();
    this.#panels.set(inspector, panel);
    panel.iconPath = this.#views.icon;
    const shown = this.#views.show(panel.webview, inspector, TITLES[inspector], path, null, tab);
    panel.onDidDispose(() => {
      shown.dispose();
      if (this.#panels.get(inspector) === panel) this.#panels.delete(inspector);
    });
  }
}
