import * as vscode from 'vscode';
import type { Boot, FromHost, InspectorId } from '../server/protocol/host.js';
import type { EditorDocuments } from './editorDocuments.js';
import { workspaceFolders } from './folders.js';
import { page, webviewOptions } from './page.js';
import { onPricesChanged, prices } from './prices.js';
import type { Relay } from './relay.js';
import type { SharedSelection } from './selection.js';
import type { Server } from './server.js';

export interface ViewOptions {
  readonly root: vscode.Uri;
  readonly relay: Relay;
  readonly server: Server;
  readonly selection: SharedSelection;
  readonly documents: EditorDocuments;
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

  /** Until disposed. `path` is the file of a custom editor, `compareWith` another to hold it against, `tab` the part to show first. */
  show(
    webview: vscode.Webview,
    view: string,
    title: string,
    path: string | null = null,
    compareWith: string | null = null,
    tab: string | null = null,
  ): vscode.Disposable {
    const { root, relay, server, selection, documents, embedded } = this.#options;
    const attached = relay.attach(webview);
    const followed = view === FOLLOWS_EDITOR ? followEditor(webview, documents) : attached;
    const colour = vscode.workspace.getConfiguration('modelLab').get<Boot['colour']>('colour', 'surprisal');
    const boot: Boot = {
      view,
      selection: selection.value,
      server: server.status,
      colour,
      embedded,
      folders: workspaceFolders(),
      path,
      compareWith,
      tab,
      prices: prices(),
    };
    webview.options = this.webviewOptions;
    webview.html = page(webview, root, title, boot);
    return vscode.Disposable.from(attached, followed);
  }
}

/** The view that is about the text in the editor. */
const FOLLOWS_EDITOR: InspectorId = 'tokenizer';

/** Tells the view of the active document and of prices, from when its page listens. */
function followEditor(webview: vscode.Webview, documents: EditorDocuments): vscode.Disposable {
  const post = (message: FromHost) => void webview.postMessage(message).then(undefined, () => undefined);
  const tellPrices = () => post({ kind: 'prices', prices: prices() });
  let following: vscode.Disposable | null = null;
  const ready = webview.onDidReceiveMessage((message: unknown) => {
    if ((message as { kind?: unknown } | null)?.kind !== 'ready') return;
    following?.dispose();
    following = documents.follow((document) => post({ kind: 'document', document }));
    tellPrices();
  });
  const stop = new vscode.Disposable(() => following?.dispose());
  return vscode.Disposable.from(ready, onPricesChanged(tellPrices), stop);
}
