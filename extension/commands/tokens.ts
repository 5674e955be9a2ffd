import * as vscode from 'vscode';
import type { VocabularyId } from '../../server/protocol/tokens.js';
import type { EditorDocuments } from '../editorDocuments.js';
import { workspaceFolders } from '../folders.js';
import { formatCount } from '../format.js';
import type { Lab } from '../lab.js';
import { chooseModel, openModel } from './models.js';
import { selectedText } from './prompt.js';

/** Two alternating tints make the borders of tokens visible without moving the text. */
const TINTS = ['editor.wordHighlightBackground', 'editor.wordHighlightStrongBackground'] as const;

/** UTF-16 units of text in sight that are marked at most. */
const MOST = 1 << 14;

interface Marked {
  readonly id: number;
  readonly start: number;
  readonly end: number;
}

/** Tokens in editors: tints that alternate, a line where one begins, and its id on hover. */
class TokenMarks implements vscode.Disposable {
  readonly #types = TINTS.map((color) =>
    vscode.window.createTextEditorDecorationType({
      backgroundColor: new vscode.ThemeColor(color),
      borderColor: new vscode.ThemeColor('editorIndentGuide.activeBackground1'),
      borderStyle: 'solid',
      borderWidth: '0 0 0 1px',
      rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
    }),
  );
  readonly #marked = new WeakSet<vscode.TextEditor>();

  /** @param first number of the first of the tokens, null when it is not known */
  draw(editor: vscode.TextEditor, from: number, tokens: readonly Marked[], first: number | null): void {
    const { document } = editor;
    const marks = tokens.map(({ id, start, end }, index) => ({
      range: new vscode.Range(document.positionAt(from + start), document.positionAt(from + end)),
      hoverMessage: first === null ? `token id ${id}` : `token ${first + index}: id ${id}`,
    }));
    this.#types.forEach((type, parity) => {
      editor.setDecorations(
        type,
        marks.filter((_, index) => ((first ?? 0) + index) % 2 === parity),
      );
    });
    this.#marked.add(editor);
  }

  /** Whether there was something to clear. */
  clear(editor: vscode.TextEditor): boolean {
    for (const type of this.#types) editor.setDecorations(type, []);
    return this.#marked.delete(editor);
  }

  dispose(): void {
    for (const type of this.#types) type.dispose();
  }
}

/** Token boundaries in the text itself: of the selection once, or of all that is in sight until the command comes again. */
export class TokenBoundaries implements vscode.Disposable {
  readonly #lab: Lab;
  readonly #documents: EditorDocuments;
  readonly #marks = new TokenMarks();
  readonly #listener: vscode.Disposable;
  #following: vscode.Disposable | null = null;
  #vocabulary: VocabularyId | null = null;
  #asked = 0;

  constructor(lab: Lab, documents: EditorDocuments) {
    this.#lab = lab;
    this.#documents = documents;
    this.#listener = vscode.workspace.onDidChangeTextDocument(({ document }) => {
      if (this.#following) return;
      for (const editor of vscode.window.visibleTextEditors) if (editor.document === document) this.#marks.clear(editor);
    });
  }

  /** Marks the tokens of the selection, encoded by itself, until the text changes or the command comes without one. Returns how many. */
  async selection(): Promise<number> {
    const lab = this.#lab;
    const editor = vscode.window.activeTextEditor;
    if (editor?.selection.isEmpty && this.#marks.clear(editor)) return 0;
    selectedText();
    if (!editor) return 0;
    const file = lab.session.activeModel?.path ?? (await chooseModel(lab, null, 'Tokens of which model?'));
    if (file === null) return 0;
    const model = await openModel(lab, file);
    const { document, selection } = editor;
    const text = document.getText(selection);
    const { pieces } = await lab.server.request('tokens/encode', { model: model.id, text, chat: false });
    this.#marks.draw(editor, document.offsetAt(selection.start), pieces, 0);
    vscode.window.setStatusBarMessage(`${formatCount(pieces.length, 'token')} in ${model.name}`, 8000);
    return pieces.length;
  }

  /** Follows the active editor from now on, or no longer. A vocabulary may be named; else the person picks one. Returns which. */
  async toggle(given: unknown): Promise<VocabularyId | null> {
    if (this.#following) {
      this.#following.dispose();
      this.#following = null;
      this.#asked++;
      for (const editor of vscode.window.visibleTextEditors) this.#marks.clear(editor);
      return null;
    }
    const vocabulary = typeof given === 'string' ? given : await pickVocabulary(this.#lab, this.#vocabulary);
    if (vocabulary === null) return null;
    this.#vocabulary = vocabulary;
    this.#following = this.#documents.follow(() => void this.#draw(vocabulary));
    return vocabulary;
  }

  dispose(): void {
    this.#following?.dispose();
    vscode.Disposable.from(this.#listener, this.#marks).dispose();
  }

  async #draw(vocabulary: VocabularyId): Promise<void> {
    const asked = ++this.#asked;
    const { editor } = this.#documents;
    const [top] = editor?.visibleRanges ?? [];
    if (!editor || !top) return;
    const { document, visibleRanges } = editor;
    const { version } = document;
    const from = document.offsetAt(top.start);
    const to = Math.min(document.offsetAt((visibleRanges.at(-1) ?? top).end), from + MOST);
    const question = { document: document.uri.toString(), version, vocabularies: [vocabulary], from, to };
    const answer = await this.#lab.server.request('tokens/window', question).catch(() => null);
    const column = answer?.columns[0];
    if (asked !== this.#asked || !column || !('tokens' in column) || document.version !== version) return;
    this.#marks.draw(editor, 0, column.tokens, column.first);
  }
}

/** The model on screen first, or the one chosen last. */
async function pickVocabulary(lab: Lab, last: VocabularyId | null): Promise<VocabularyId | null> {
  const preferred = lab.session.activeModel?.path ?? last;
  const all = await lab.server.request('tokens/vocabularies', { folders: workspaceFolders() });
  const items = all
    .map(({ id, name, source, detail }) => ({ label: name, id, ...(source === 'named' ? { description: detail } : { detail }) }))
    .sort((a, b) => Number(b.id === preferred) - Number(a.id === preferred));
  const title = 'Token boundaries of which vocabulary?';
  return (await vscode.window.showQuickPick(items, { title, matchOnDescription: true }))?.id ?? null;
}
