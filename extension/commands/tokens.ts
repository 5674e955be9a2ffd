import * as vscode from 'vscode';
import { formatCount } from '../format.js';
import type { Lab } from '../lab.js';
import { chooseModel, openModel } from './models.js';
import { selectedText } from './prompt.js';

/** Two alternating backgrounds make the borders of tokens visible without moving the text. */
const STRIPES = ['editor.wordHighlightBackground', 'editor.wordHighlightStrongBackground'] as const;

/** Marks the tokens of the selection in the editor until the text changes or the command comes again without one. */
export class TokenStripes implements vscode.Disposable {
  readonly #types = STRIPES.map((color) =>
    vscode.window.createTextEditorDecorationType({ backgroundColor: new vscode.ThemeColor(color), borderRadius: '2px' }),
  );
  readonly #striped = new WeakSet<vscode.TextEditor>();
  readonly #listener = vscode.workspace.onDidChangeTextDocument(({ document }) => {
    for (const editor of vscode.window.visibleTextEditors) if (editor.document === document) this.#clear(editor);
  });

  /** Returns how many tokens are marked now. */
  async show(lab: Lab): Promise<number> {
    const editor = vscode.window.activeTextEditor;
    if (!editor) return 0;
    if (editor.selection.isEmpty && this.#clear(editor)) return 0;
    selectedText();
    const file = lab.session.activeModel?.path ?? (await chooseModel(lab, null, 'Tokens of which model?'));
    if (file === null) return 0;
    const model = await openModel(lab, file);
    const { document, selection } = editor;
    const text = document.getText(selection);
    const { pieces } = await lab.server.request('tokens/encode', { model: model.id, text, chat: false });
    const from = document.offsetAt(selection.start);
    const stripes = pieces.map(({ id, start, end }, index) => ({
      range: new vscode.Range(document.positionAt(from + start), document.positionAt(from + end)),
      hoverMessage: `token ${index}: id ${id}`,
    }));
    this.#types.forEach((type, parity) => {
      editor.setDecorations(
        type,
        stripes.filter((_, index) => index % 2 === parity),
      );
    });
    this.#striped.add(editor);
    vscode.window.setStatusBarMessage(`${formatCount(pieces.length, 'token')} in ${model.name}`, 8000);
    return pieces.length;
  }

  dispose(): void {
    vscode.Disposable.from(this.#listener, ...this.#types).dispose();
  }

  /** Whether there was something to clear. */
  #clear(editor: vscode.TextEditor): boolean {
    for (const type of this.#types) editor.setDecorations(type, []);
    return this.#striped.delete(editor);
  }
}
