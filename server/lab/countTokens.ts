import { fileURLToPath } from 'node:url';
import { breathe } from '../analyses/breathe.js';
import {
  type Difference,
  type TextCounts,
  TOKEN_ROLES,
  type TokenCounts,
  type TokenRole,
  type VocabularyId,
} from '../protocol/tokens.js';
import { tokenizerNames } from '../tokenizer/named.js';
import { scriptNames } from '../tokenizer/scripts.js';
import type { Chunk } from './chunkedText.js';
import { encoded, isEncoded, textOf } from './encodedChunk.js';
import { commandLine } from './exportRun.js';
import type { NamedTokenizer } from './vocabularies.js';

/** Milliseconds of work between two breaths. */
const SLICE_MS = 12;

/** Long work in slices, between which others are answered and a cancelled request ends. */
export class Slices {
  #since = performance.now();

  constructor(readonly signal: AbortSignal) {}

  async rest(): Promise<void> {
    if (performance.now() - this.#since < SLICE_MS) return;
    await breathe(this.signal);
    this.#since = performance.now();
  }
}

export async function countText(chunks: readonly Chunk[], work: Slices): Promise<TextCounts> {
  const counts = { characters: 0, words: 0, bytes: 0, lines: 1 };
  for (const chunk of chunks) {
    const { characters, words, bytes, lineBreaks } = textOf(chunk);
    counts.characters += characters.reduce((a, b) => a + b, 0);
    counts.words += words;
    counts.bytes += bytes;
    counts.lines += lineBreaks;
    await work.rest();
  }
  return counts;
}

interface Counting {
  readonly file: string | null;
  readonly work: Slices;
  /** UTF-16 units done. */
  report(done: number): void;
}

/** Sums over the chunks. */
export async function countTokens(
  id: VocabularyId,
  { name, tokenizer }: NamedTokenizer,
  chunks: readonly Chunk[],
  { file, work, report }: Counting,
): Promise<TokenCounts> {
  const roles = new Float64Array(TOKEN_ROLES.length);
  const scripts = scriptNames.map((script) => ({ script, characters: 0, tokens: 0 }));
  let [tokens, fresh, at] = [0, 0, 0];
  let difference: Difference | null = null;
  for (const chunk of chunks) {
    if (!isEncoded(id, chunk)) fresh += chunk.text.length;
    const part = encoded(id, tokenizer, chunk);
    const { characters } = textOf(chunk);
    tokens += part.ids.length;
    roles.forEach((count, role) => {
      roles[role] = count + (part.roles[role] as number);
    });
    scripts.forEach((count, script) => {
      count.characters += characters[script] as number;
      count.tokens += part.scripts[script] as number;
    });
    if (part.difference) difference ??= { ...part.difference, at: at + part.difference.at };
    at += chunk.text.length;
    report(at);
    await work.rest();
  }
  return {
    vocabulary: id,
    name,
    kind: tokenizer.kind,
    vocabSize: tokenizer.vocabSize,
    tokens,
    roles: Object.fromEntries(TOKEN_ROLES.map((role, i) => [role, roles[i]])) as Record<TokenRole, number>,
    scripts: scripts.filter(({ characters, tokens: some }) => characters + some > 0),
    difference,
    encoded: fresh,
    command: file === null ? null : command(id, file),
  };
}

const command = (id: VocabularyId, file: string): string => {
  const cli = fileURLToPath(new URL('./cli.js', import.meta.url));
  const vocabulary = tokenizerNames.includes(id) ? ['--tokenizer', id] : [id];
  return commandLine(['node', cli, 'tokenize', ...vocabulary, '--file', file, '--json']);
};
