import type { Spelling } from './offsets.js';
import { flatten, type TokenizerJson } from './tokenizerJson.js';

/** What the vocabulary spells tokens in: one character for each byte (GPT-2), text with ▁ for a space (SentencePiece), or plain text. */
export type Alphabet = 'bytes' | 'mark' | 'text';

export function alphabetOf(json: TokenizerJson): Alphabet {
  const steps = flatten(json.pre_tokenizer);
  if (steps.some((step) => step.type === 'ByteLevel')) return 'bytes';
  return steps.some((step) => step.type === 'Metaspace') ? 'mark' : 'text';
}

/** How the model tells the parts of a word, and bytes, from whole words. */
export function spellingOf(json: TokenizerJson): Spelling {
  const { type, continuing_subword_prefix, end_of_word_suffix, byte_fallback } = json.model;
  return {
    continuation: type === 'WordPiece' ? String(continuing_subword_prefix ?? '##') : '',
    wordEnd: typeof end_of_word_suffix === 'string' ? end_of_word_suffix : '',
    unknownIsWhole: type === 'WordPiece',
    byteFallback: byte_fallback === true,
  };
}

/** How tokens become text again. */
export interface Decoding {
  readonly by: 'bytes' | 'library';
  /** Stands for a space; null when a space is one. */
  readonly mark: string | null;
  /** The space that was put before the text is taken off. */
  readonly stripsSpace: boolean;
}

/** Byte-level and SentencePiece decoders only join bytes; others (WordPiece's spaces) are the library's. */
export function decodingOf(json: TokenizerJson): Decoding {
  const steps = flatten(json.decoder);
  const metaspace = steps.find((step) => step.type === 'Metaspace');
  const replace = steps.find((step) => step.type === 'Replace' && step.content === ' ');
  const pattern = replace?.pattern as { readonly String?: string } | undefined;
  const mark = metaspace ? String(metaspace.replacement ?? '▁') : (pattern?.String ?? null);
  const strips = metaspace
    ? metaspace.prepend_scheme !== 'never' && metaspace.add_prefix_space !== false
    : steps.some((step) => step.type === 'Strip');
  const joinsBytes = mark !== null || steps.some((step) => step.type === 'ByteLevel');
  return { by: joinsBytes ? 'bytes' : 'library', mark, stripsSpace: strips };
}
