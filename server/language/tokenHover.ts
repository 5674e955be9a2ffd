import type { Hover } from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import type { RunDetail, TokenInfo } from '../protocol/runs.js';
import type { Piece } from '../tokenizer/tokenizer.js';
import type { ActiveContext } from './context.js';
import { plain, table, tokenSpan } from './markdown.js';

/** Plain text, Markdown, and the prompt files of VS Code itself. */
const LANGUAGES = new Set(['plaintext', 'markdown', 'prompt']);

/** Text is tokenised in windows of two strides, one on either side of the cursor at most. */
const STRIDE = 10_000;
const CACHED_WINDOWS = 8;
const ALTERNATIVES = 6;

export const showsTokens = (document: TextDocument): boolean => LANGUAGES.has(document.languageId);

interface Window {
  readonly start: number;
  readonly pieces: readonly Piece[];
}

/** Tokens under the cursor, cached by document version. */
export class TokenHover {
  readonly #windows = new Map<string, Window>();

  /** Id, bytes and text of the token at `offset`; its probability and rivals when the active run’s prompt is there. */
  hover(document: TextDocument, offset: number, context: ActiveContext): Hover | null {
    const { model, tokenizer } = context;
    if (!model || !tokenizer || !showsTokens(document)) return null;
    const ran = context.run && tokenOfRun(document.getText(), offset, context.run);
    const token = ran ?? this.#tokenAt(document, offset, context);
    if (!token) return null;
    const lines = [
      `**Token** ${tokenSpan(tokenizer.text(token.id))} · id ${token.id} · ${plain(model.name)}`,
      '',
      `bytes ${bytesOf(token.id, context)}`,
    ];
    if (ran) lines.push('', ...probabilities(ran.info));
    return {
      contents: { kind: 'markdown', value: lines.join('\n') },
      range: { start: document.positionAt(token.start), end: document.positionAt(token.end) },
    };
  }

  #tokenAt(
    document: TextDocument,
    offset: number,
    context: ActiveContext,
  ): { readonly id: number; readonly start: number; readonly end: number } | null {
    const window = this.#windowAt(document, offset, context);
    const at = offset - window.start;
    const piece = window.pieces.find(({ start, end }) => start <= at && at < end);
    return piece ? { id: piece.id, start: piece.start + window.start, end: piece.end + window.start } : null;
  }

  #windowAt(document: TextDocument, offset: number, { model, tokenizer }: ActiveContext): Window {
    const stride = Math.floor(offset / STRIDE);
    const key = JSON.stringify([document.uri, document.version, model?.id, stride]);
    const known = this.#windows.get(key);
    if (known) return known;
    const text = document.getText();
    const start = lineStart(text, (stride - 1) * STRIDE);
    const pieces = tokenizer?.encode(text.slice(start, (stride + 2) * STRIDE), { special: false }) ?? [];
    const window = { start, pieces };
    this.#windows.set(key, window);
    const [oldest] = this.#windows.keys();
    if (this.#windows.size > CACHED_WINDOWS && oldest !== undefined) this.#windows.delete(oldest);
    return window;
  }
}

/** Windows begin after a line break where one is near: tokens seldom cross it, so the cut shows nowhere. */
function lineStart(text: string, from: number): number {
  if (from <= 0) return 0;
  const line = text.indexOf('\n', from);
  return line >= 0 && line < from + STRIDE / 2 ? line + 1 : from;
}

/** The run’s own token at a place of the document, when its prompt is there, or the document is a part of the prompt. */
function tokenOfRun(
  text: string,
  offset: number,
  run: RunDetail,
): { readonly id: number; readonly start: number; readonly end: number; readonly info: TokenInfo } | null {
  const { prompt, chat } = run.recipe;
  // In a chat the offsets are in the rendered template, not in what the person wrote.
  if (prompt === null || prompt === '' || chat) return null;
  const inText = text.lastIndexOf(prompt, offset);
  const inPrompt = inText < 0 && text.length > 0 ? prompt.indexOf(text) : -1;
  if (inText < 0 && inPrompt < 0) return null;
  const shift = inText >= 0 ? inText : -inPrompt;
  const at = offset - shift;
  const info = run.tokenInfos.find(({ start, end }) => start !== null && end !== null && start <= at && at < end);
  if (!info || info.start === null || info.end === null) return null;
  return { id: info.id, start: Math.max(0, info.start + shift), end: Math.min(text.length, info.end + shift), info };
}

const bytesOf = (id: number, { tokenizer }: ActiveContext): string => {
  const bytes = tokenizer?.bytes(id) ?? new Uint8Array();
  return bytes.length === 0 ? 'none (special)' : Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
};

const percent = (probability: number): string => `${(probability * 100).toPrecision(3)} %`;

function probabilities(info: TokenInfo): readonly string[] {
  const { probability, surprisal, entropy, rank } = info;
  if (probability === null || surprisal === null || entropy === null || rank === null)
    return [`token ${info.index} of the active run: nothing predicts the first token`];
  const summary = `token ${info.index} of the active run: probability ${percent(probability)}, rank ${rank + 1}, surprisal ${surprisal.toFixed(2)} bits, entropy ${entropy.toFixed(2)} bits`;
  const rows = info.alternatives.slice(0, ALTERNATIVES).map(({ id, text, probability }, index) => {
    const bold = (cell: string) => (id === info.id ? `**${cell}**` : cell);
    return [String(index + 1), tokenSpan(text), String(id), bold(percent(probability))];
  });
  return rows.length === 0 ? [summary] : [summary, '', table(['rank', 'token', 'id', 'probability'], rows)];
}
