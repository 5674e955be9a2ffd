import type { Hover } from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import type { RunDetail, TokenInfo } from '../protocol/runs.js';
import type { Piece, Tokenizer } from '../tokenizer/tokenizer.js';
import type { ActiveContext } from './context.js';
import { plain, table, tokenSpan } from './markdown.js';

/** Plain text, Markdown, and the prompt files of VS Code itself. */
const LANGUAGES = new Set(['plaintext', 'markdown', 'prompt']);

/** Text is tokenised in windows: the stride that holds the cursor, and one on either side. */
const STRIDE = 10_000;
const KEPT_WINDOWS = 8;
const ALTERNATIVES = 6;

export const showsTokens = (document: TextDocument): boolean => LANGUAGES.has(document.languageId);

/** A part of a text with its tokens, whose offsets are in the part. */
interface Window {
  readonly tokenizer: Tokenizer;
  readonly text: string;
  readonly pieces: readonly Piece[];
}

/** Tokens under the cursor. The last windows are kept. */
export class TokenHover {
  readonly #windows: Window[] = [];

  /** Id, bytes and text of the token at `offset`; its probability and rivals when the active run’s prompt is there. */
  hover(document: TextDocument, offset: number, context: ActiveContext): Hover | null {
    const { model, tokenizer } = context;
    if (!model || !tokenizer || !showsTokens(document)) return null;
    const ran = context.run && tokenOfRun(document.getText(), offset, context.run);
    const token = ran ?? this.#tokenAt(document.getText(), offset, tokenizer);
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
    text: string,
    offset: number,
    tokenizer: Tokenizer,
  ): { readonly id: number; readonly start: number; readonly end: number } | null {
    const stride = Math.floor(offset / STRIDE);
    const from = lineStart(text, (stride - 1) * STRIDE);
    const pieces = this.#encode(text.slice(from, (stride + 2) * STRIDE), tokenizer);
    const piece = pieces.find(({ start, end }) => from + start <= offset && offset < from + end);
    return piece ? { id: piece.id, start: from + piece.start, end: from + piece.end } : null;
  }

  #encode(text: string, tokenizer: Tokenizer): readonly Piece[] {
    const known = this.#windows.find((window) => window.tokenizer === tokenizer && window.text === text);
    if (known) return known.pieces;
    const pieces = tokenizer.encode(text, { special: false });
    this.#windows.push({ tokenizer, text, pieces });
    if (this.#windows.length > KEPT_WINDOWS) this.#windows.shift();
    return pieces;
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
