import * as vscode from 'vscode';
import type { Boot } from '../server/protocol/host.js';
import { workspaceFolders } from './folders.js';
import { page, webviewOptions } from './page.js';
import type { Relay } from './relay.js';
import type { SharedSelection } from './selection.js';
import type { Server } from './server.js';

export interface ViewOptions {
  readonly root: vscode.Uri;
  readonly relay: Relay;
  readonly server: Server;
  readonly selection: SharedSelection;
  /** Paths of the embedded models. */
  readonly embedded: readonly string[];
}

/** Makes a webview show one of our views, wherever VS Code has put it. */
export class Views {
  readonly #options: ViewOptions;

  constructor(options: ViewOptions) {
    this.#options = options;
  }

  get webviewOptions(): vscode.WebviewOptions {
    return webviewOptions(this.#options.root);
  }

  /** Light and dark icons for tabs. */
  get icon(): { light: vscode.Uri; dark: vscode.Uri } {
    const media = (name: string) => vscode.Uri.joinPath(this.#options.root, 'media', name);
    return { light: media('tab-light.svg'), dark: media('tab-dark.svg') };
  }

  /** Until disposed. `path` is the file of a custom editor. */
  show(webview: vscode.Webview, view: string, title: string, path: string | null = null): vscode.Disposable {
    const { root, relay, server, selection, embedded } = this.#options;
    const attached = relay.attach(webview);
    const colour = vscode.workspace.getConfiguration('modelLab').get<Boot['colour']>('colour', 'surprisal');
    const boot: Boot = {
      view,
      selection: selection.value,
      server: server.status,
      colour,
      embedded,
      folders: workspaceFolders(),
      path,
    };
    webview.options = this.webviewOptions;
    webview.html = page(webview, root, title, boot);
    return attached;
  }
}
