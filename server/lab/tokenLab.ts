import { LabError, toLabError } from '../protocol/errors.js';
import type { Params } from '../protocol/requests.js';
import type {
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
  sync({ document, version, base, length, text, changes }: Params<'tokens/sync'>): void {
    const known = this.#documents.get(document);
    const valid = known?.version === base && changes.every(({ from, to }) => from <= to);
    const next = text !== null ? ChunkedText.of(text, version) : valid ? known?.edited(changes, version) : undefined;
    if (next?.length !== length) throw documentUnknown(document);
    this.#documents.delete(document);
    this.#documents.set(document, next);
    for (const old of [...this.#documents.keys()].slice(0, -DOCUMENTS)) this.#documents.delete(old);
  }

  /** Counts of the whole text. What is known of unchanged stretches is not computed again. Errors: DOCUMENT_UNKNOWN, CANCELLED. */
  async compare(
    { document, version: least, vocabularies: ids, file }: Params<'tokens/compare'>,
    signal: AbortSignal,
    progress: Progress,
  ): Promise<TokenComparison> {
    const started = performance.now();
    const text = this.#get(document, least);
    const { version, chunks } = text;
    const work = new Slices(signal);
    const columns: (TokenCounts | VocabularyFailure)[] = [];
    for (const [n, id] of ids.entries()) {
      const report = (done: number) => progress(n * text.length + done, ids.length * text.length, `Encoding with ${id}`);
      columns.push(
        await this.#attempt(id, async (named) => {
          const parts = named.tokenizer.cutsAtLines ? chunks : [text.whole];
          return countTokens(id, named, parts, { file, work, report });
        }),
      );
    }
    const counts = await countText(chunks, work);
    return { version, text: counts, columns, ms: performance.now() - started };
  }

  /** The tokens that touch [from, to). Errors: DOCUMENT_UNKNOWN. */
  async window({ document, version: least, vocabularies: ids, from, to }: Params<'tokens/window'>): Promise<TokenWindow> {
    const text = this.#get(document, least);
    const { version, chunks } = text;
    const shown = stretch(chunks, Math.min(from, text.length), Math.min(to, text.length));
    const columns: TokenWindow['columns'][number][] = [];
    for (const id of ids) {
      columns.push(
        await this.#attempt(id, async ({ tokenizer }) => ({
          vocabulary: id,
          ...tokensIn(id, tokenizer, tokenizer.cutsAtLines ? chunks : [text.whole], shown.from, shown.to),
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

  #get(document: string, least: number): ChunkedText {
    const known = this.#documents.get(document);
    if (!known || known.version < least) throw documentUnknown(document);
    return known;
  }
}
