import path from 'node:path';
import * as vscode from 'vscode';
import type { EditorDocument } from '../server/protocol/host.js';
import type { TextChange } from '../server/protocol/tokens.js';
import { asLabError } from './errors.js';
import type { Server } from './server.js';

/** Keys that follow each other faster are told together. */
const SYNC_DELAY_MS = 25;

/** Texts a person writes; not the output of the editor itself. */
const isText = ({ document }: vscode.TextEditor): boolean =>
  !['output', 'comment', 'vscode-settings'].includes(document.uri.scheme);

/** The version of a text that the server has, and the edits since. */
interface Sent {
  version: number;
  changes: TextChange[];
}

/**
 * Follows the text in the active editor for those who look at its tokens: the server has its newest version, in edits, before they are
 * told. Nothing is sent while nobody looks.
 */
export class EditorDocuments implements vscode.Disposable {
  readonly #server: Server;
  readonly #log: vscode.LogOutputChannel;
  readonly #followers = new Set<(document: EditorDocument | null) => void>();
  readonly #sent = new Map<string, Sent>();
  readonly #subscriptions: vscode.Disposable[];
  #editor: vscode.TextEditor | null = null;
  #timer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> = Promise.resolve();
  #current: EditorDocument | null = null;

  constructor(server: Server, log: vscode.LogOutputChannel) {
    this.#server = server;
    this.#log = log;
    this.#activate(vscode.window.activeTextEditor);
    this.#subscriptions = [
      vscode.window.onDidChangeActiveTextEditor((editor) => this.#activate(editor)),
      vscode.workspace.onDidChangeTextDocument((event) => this.#changed(event)),
      vscode.workspace.onDidSaveTextDocument((document) => document === this.#editor?.document && this.#soon()),
      vscode.workspace.onDidCloseTextDocument((document) => this.#closed(document)),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => this.#moved(textEditor)),
      vscode.window.onDidChangeTextEditorVisibleRanges(({ textEditor }) => this.#moved(textEditor)),
      server.onStatus((status) => this.#restarted(status === 'ready')),
    ];
  }

  /** The editor that is followed. */
  get editor(): vscode.TextEditor | null {
    return this.#editor;
  }

  /** Tells the document now and whenever it, the selection or what is in sight changes. */
  follow(told: (document: EditorDocument | null) => void): vscode.Disposable {
    this.#followers.add(told);
    if (this.#followers.size > 1) told(this.#current);
    else this.#soon();
    return new vscode.Disposable(() => this.#followers.delete(told));
  }

  /** Selects in the editor that shows the document, wherever that is. */
  async select(document: string, from: number, to: number): Promise<void> {
    const shown = [this.#editor, ...vscode.window.visibleTextEditors].find(
      (editor) => editor?.document.uri.toString() === document,
    );
    const editor =
      shown && vscode.window.visibleTextEditors.includes(shown)
        ? shown
        : await vscode.window.showTextDocument(vscode.Uri.parse(document), { preserveFocus: true, preview: false });
    const range = new vscode.Range(editor.document.positionAt(from), editor.document.positionAt(to));
    editor.selection = new vscode.Selection(range.start, range.end);
    editor.revealRange(range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  #activate(editor: vscode.TextEditor | undefined): void {
    // A view that gets the focus leaves the text that it is about.
    if (!editor || !isText(editor)) return;
    this.#editor = editor;
    this.#soon();
  }

  #changed({ document, contentChanges }: vscode.TextDocumentChangeEvent): void {
    const changes = contentChanges.map(({ rangeOffset, rangeLength, text }) => ({
      from: rangeOffset,
      to: rangeOffset + rangeLength,
      text,
    }));
    this.#sent.get(document.uri.toString())?.changes.push(...changes);
    if (document === this.#editor?.document) this.#soon();
  }

  #closed(document: vscode.TextDocument): void {
    this.#sent.delete(document.uri.toString());
    if (this.#editor?.document !== document) return;
    this.#editor = vscode.window.visibleTextEditors.find(isText) ?? null;
    this.#soon();
  }

  #moved(editor: vscode.TextEditor): void {
    if (editor !== this.#editor || !this.#current) return;
    // What is in flight will tell it with the new text.
    if (this.#sent.get(this.#current.document)?.version !== editor.document.version) return;
    this.#tell(describe(editor));
  }

  #restarted(ready: boolean): void {
    this.#sent.clear();
    if (ready) this.#soon();
    else this.#tell(null);
  }

  #soon(): void {
    if (this.#followers.size === 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#syncing = this.#syncing.then(() => this.#sync());
    }, SYNC_DELAY_MS);
  }

  async #sync(): Promise<void> {
    const editor = this.#editor;
    if (!editor) {
      this.#tell(null);
      return;
    }
    try {
      await this.#send(editor.document);
      if (editor !== this.#editor) return;
      if (this.#sent.get(editor.document.uri.toString())?.version === editor.document.version) this.#tell(describe(editor));
      else this.#soon();
    } catch (error) {
      this.#log.warn(`tokens of ${editor.document.uri.path}: ${asLabError(error).message}`);
    }
  }

  /** Edits when the server has an earlier version, else the whole. */
  async #send(document: vscode.TextDocument): Promise<void> {
    const uri = document.uri.toString();
    const sent = this.#sent.get(uri);
    const { version } = document;
    if (sent?.version === version) return;
    const length = lengthOf(document);
    const next: Sent = { version, changes: [] };
    this.#sent.set(uri, next);
    const edit = { document: uri, version, length };
    if (sent) {
      const accepted = await this.#server
        .request('tokens/sync', { ...edit, base: sent.version, text: null, changes: sent.changes })
        .then(
          () => true,
          () => false,
        );
      if (accepted) return;
    }
    // Since then it may have changed again: then the whole is of that version, and its edits are in it.
    next.changes = [];
    next.version = document.version;
    const whole = { document: uri, version: document.version, base: null, length: lengthOf(document), text: document.getText() };
    await this.#server.request('tokens/sync', { ...whole, changes: [] }).catch((error) => {
      this.#sent.delete(uri);
      throw error;
    });
  }

  #tell(document: EditorDocument | null): void {
    this.#current = document;
    for (const told of this.#followers) told(document);
  }
}

const lengthOf = (document: vscode.TextDocument): number => document.offsetAt(document.lineAt(document.lineCount - 1).range.end);

function describe({ document, selection, visibleRanges }: vscode.TextEditor): EditorDocument {
  const seen = visibleRanges[0] ? visibleRanges[0].union(visibleRanges.at(-1) ?? visibleRanges[0]) : null;
  const offsets = (range: vscode.Range): [number, number] => [document.offsetAt(range.start), document.offsetAt(range.end)];
  return {
    document: document.uri.toString(),
    name: path.basename(document.uri.path),
    file: document.uri.scheme === 'file' && !document.isDirty ? document.uri.fsPath : null,
    version: document.version,
    length: lengthOf(document),
    selection: offsets(selection),
    visible: seen ? offsets(seen) : [0, 0],
  };
}
