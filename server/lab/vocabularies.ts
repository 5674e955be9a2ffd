import { openCheckpoint } from '../formats/registry.js';
import { requireTokenizer } from '../open.js';
import { OnceByKey } from '../protocol/once.js';
import type { Vocabulary, VocabularyId } from '../protocol/tokens.js';
import { namedTokenizer, tokenizerNames, tokenizerOwners } from '../tokenizer/named.js';
import { createTokenizer } from '../tokenizer/registry.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { findModels } from './finder.js';
import type { Lab } from './lab.js';

/** Tokenizers of models that are not open, kept for the next question. */
const KEPT = 6;

export interface NamedTokenizer {
  readonly name: string;
  readonly tokenizer: Tokenizer;
}

/** Vocabularies by name or by the path of a model; a model need not be open for its tokenizer. */
export class Vocabularies {
  readonly #read = new OnceByKey<NamedTokenizer>(KEPT);

  constructor(private readonly lab: Lab) {}

  async list(folders: readonly string[]): Promise<Vocabulary[]> {
    const named = tokenizerNames.map((name) => ({
      id: name,
      name,
      source: 'named' as const,
      detail: tokenizerOwners[name] ?? '',
    }));
    const found = await findModels(this.lab, folders);
    const open = this.lab.models.list.filter(({ tokenizer }) => tokenizer !== null).map(({ info }) => info);
    const isOpen = new Set(open.map(({ path }) => path));
    return [
      ...named,
      ...open.map(({ path, name }) => ({ id: path, name, source: 'open' as const, detail: path })),
      ...found
        .filter(({ path }) => !isOpen.has(path))
        .map(({ path, name }) => ({ id: path, name, source: 'found' as const, detail: path })),
    ];
  }

  /** Errors: TOKENIZER_MISSING, those of the file and of its tokenizer. */
  async get(id: VocabularyId): Promise<NamedTokenizer> {
    if (tokenizerNames.includes(id)) return { name: id, tokenizer: await namedTokenizer(id) };
    const open = this.lab.models.at(id);
    if (open) return { name: open.info.name, tokenizer: requireTokenizer(open) };
    return this.#read.get(id, () => this.#open(id));
  }

  async #open(path: string): Promise<NamedTokenizer> {
    const checkpoint = await openCheckpoint(path);
    const tokenizer = checkpoint.tokenizer && (await createTokenizer(checkpoint.tokenizer));
    return { name: checkpoint.name, tokenizer: requireTokenizer({ checkpoint, tokenizer }) };
  }
}
