import { LabError, toLabError } from '../protocol/errors.js';
import type {
  TextChange,
  TokenComparison,
  TokenCounts,
  TokenDetail,
  TokenWindow,
  VocabularyFailure,
  VocabularyId,
} from '../protocol/tokens.js';
import { ChunkedText } from './chunkedText.js';
import { countText, countTokens, Slices } from './countTokens.js';
import { stretch, tokensIn } from './tokenWindow.js';
import type { NamedTokenizer, Vocabularies } from './vocabularies.js';

/** Texts kept: one that is looked at, and those it was just looked at before. */
const DOCUMENTS = 4;
const documentUnknown = (document: string) =>
  new LabError({
    code: 'DOCUMENT_UNKNOWN',
    message: `The server has no text of ${document}, or an older one.`,
    hint: 'Send the whole text again.',
  });

type Progress = (done: number, total: number, what: string) => void;

/** Texts of the editor, in any vocabulary. */
export class TokenLab {
  readonly #documents = new Map<string, ChunkedText>();

  constructor(private readonly vocabularies: Vocabularies) {}

  /** The whole text, or edits of the version before. Errors: DOCUMENT_UNKNOWN when that is another. */
  sync(document: string, version: number, base: number | null, text: string | null, changes: readonly TextChange[]): void {
    if (text !== null) {
      this.#documents.delete(document);
      this.#documents.set(document, new ChunkedText(text, version));
      for (const old of [...this.#documents.keys()].slice(0, -DOCUMENTS)) this.#documents.delete(old);
      return;
    }
    const known = this.#get(document);
    const inside = changes.every(({ from, to }) => from <= to);
    if (known.version !== base || !inside) throw documentUnknown(document);
    for (const change of changes) known.apply(change);
    known.version = version;
  }

  /** Counts of the whole text. What is known of unchanged stretches is not computed again. Errors: DOCUMENT_UNKNOWN, CANCELLED. */
  async compare(
    document: string,
    ids: readonly VocabularyId[],
    file: string | null,
    signal: AbortSignal,
    progress: Progress,
  ): Promise<TokenComparison> {
    const started = performance.now();
    const text = this.#get(document);
    const { version, chunks, whole } = text;
    const work = new Slices(signal);
    const columns: (TokenCounts | VocabularyFailure)[] = [];
    for (const [n, id] of ids.entries()) {
      const report = (done: number) => progress(n * text.length + done, ids.length * text.length, `Encoding with ${id}`);
      columns.push(
        await this.#attempt(id, async (named) => {
          const parts = named.tokenizer.cutsAtLines ? chunks : [whole];
          return countTokens(id, named, parts, { file, work, report });
        }),
      );
    }
    const counts = await countText(chunks, work);
    return { version, text: counts, columns, ms: performance.now() - started };
  }

  /** The tokens that touch [from, to). */
  async window(document: string, ids: readonly VocabularyId[], from: number, to: number): Promise<TokenWindow> {
    const text = this.#get(document);
    const { version, chunks, whole } = text;
    const shown = stretch(chunks, Math.min(from, text.length), Math.min(to, text.length));
    const columns: TokenWindow['columns'][number][] = [];
    for (const id of ids) {
      columns.push(
        await this.#attempt(id, async ({ tokenizer }) => ({
          vocabulary: id,
          ...tokensIn(id, tokenizer, tokenizer.cutsAtLines ? chunks : [whole], shown.from, shown.to),
        })),
      );
    }
    return { version, ...shown, columns };
  }

  async origin(vocabulary: VocabularyId, id: number): Promise<TokenDetail> {
    const { tokenizer } = await this.vocabularies.get(vocabulary);
    return {
      id,
      text: tokenizer.text(id),
      bytes: [...tokenizer.bytes(id)],
      role: tokenizer.role(id),
      origin: tokenizer.origin(id),
    };
  }

  /** One vocabulary that fails leaves the others. */
  async #attempt<T>(id: VocabularyId, use: (named: NamedTokenizer) => Promise<T>): Promise<T | VocabularyFailure> {
    try {
      return await use(await this.vocabularies.get(id));
    } catch (error) {
      const failure = toLabError(error);
      if (failure.code === 'CANCELLED' || failure.code === 'INTERNAL') throw error;
      return { vocabulary: id, error: failure.toData() };
    }
  }

  #get(document: string): ChunkedText {
    const known = this.#documents.get(document);
    if (!known) throw documentUnknown(document);
    return known;
  }
}
