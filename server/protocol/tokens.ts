import type { LabErrorData } from './errors.js';

/**
 * What a token is. `byte` stands for one byte of a character that the vocabulary lacks, `unknown` for text that is lost; `special` tokens are
 * found by their name before the model sees the text, and so are `added` ones, which are text all the same.
 */
export const TOKEN_ROLES = ['text', 'special', 'added', 'byte', 'unknown'] as const;
export type TokenRole = (typeof TOKEN_ROLES)[number];

/** A token by itself. `id` is null for a part that is no entry of the vocabulary. */
export interface TokenPart {
  readonly id: number | null;
  readonly text: string;
  readonly bytes: readonly number[];
}

/** A token as byte pair encoding made it: of two parts at its `step`, or of none when it is a symbol of the alphabet. */
export interface MergeNode extends TokenPart {
  /** Place of the merge in the order of all merges, 0 = first; null without a merge. */
  readonly rank: number | null;
  /** This merge was the step-th of this token, 1 = first; null without a merge. */
  readonly step: number | null;
  /** Two; or more where merging stops before the token is whole, which then is one because its spelling is an entry. */
  readonly parts: readonly MergeNode[];
}

/** Why this token and not others: the merges that make it, or what its model has in their place. */
export type TokenOrigin =
  | {
      readonly how: 'merges';
      readonly tree: MergeNode;
      /** `list`: the file lists its merges. `ids`: a merge ranks as the token it makes. `scores`: as the score of that token. */
      readonly order: 'list' | 'ids' | 'scores';
      /** Number of merges there are. */
      readonly merges: number;
    }
  | {
      readonly how: 'score';
      /** Natural logarithm of its probability. */
      readonly score: number;
      /** Entries with a better score. */
      readonly rank: number;
      /** The best way to spell it with other entries; null when there is none. */
      readonly otherwise: { readonly parts: readonly TokenPart[]; readonly score: number } | null;
    }
  /** The longest entry that matches at a place: the shorter ones that would, too, shortest first. */
  | { readonly how: 'longest'; readonly shorter: readonly TokenPart[] }
  /** Found by name (`special`, `added`), or what stands for text that has no entry (`byte`, `unknown`). */
  | { readonly how: 'special' | 'added' | 'byte' | 'unknown' };

/** Where what the tokens decode to first differs from the text they come from. */
export interface Difference {
  /** UTF-16 offset in the text. */
  readonly at: number;
  readonly expected: string;
  readonly decoded: string;
}

/** The name of one that comes with the lab, or the path of a model. */
export type VocabularyId = string;

export interface Vocabulary {
  readonly id: VocabularyId;
  readonly name: string;
  readonly source: 'named' | 'open' | 'found';
  /** Whose it is, or where. */
  readonly detail: string;
}

/** One edit of a text; offsets in UTF-16 units of the text before it. */
export interface TextChange {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

export interface TextCounts {
  /** Unicode code points. */
  readonly characters: number;
  /** By Unicode's word boundaries, punctuation and white space left out. */
  readonly words: number;
  /** UTF-8. */
  readonly bytes: number;
  readonly lines: number;
}

/** Characters of one script, or of one kind that is in none, and the tokens that begin in it. */
export interface ScriptCount {
  readonly script: string;
  readonly characters: number;
  readonly tokens: number;
}

/** A whole text in one vocabulary. */
export interface TokenCounts {
  readonly vocabulary: VocabularyId;
  readonly name: string;
  /** `bpe`, `unigram`, `wordpiece`, `rwkv_world` … */
  readonly kind: string;
  readonly vocabSize: number;
  readonly tokens: number;
  readonly roles: Readonly<Record<TokenRole, number>>;
  readonly scripts: readonly ScriptCount[];
  /** Null when the tokens decode to the text. */
  readonly difference: Difference | null;
  /** Characters (UTF-16 units) that were encoded for this answer: what did not change was known. */
  readonly encoded: number;
  /** The command line that tells the same; null for a text without a file. */
  readonly command: string | null;
}

/** A vocabulary that cannot be used here, and why. */
export interface VocabularyFailure {
  readonly vocabulary: VocabularyId;
  readonly error: LabErrorData;
}

export interface TokenComparison {
  readonly version: number;
  readonly text: TextCounts;
  readonly columns: readonly (TokenCounts | VocabularyFailure)[];
  readonly ms: number;
}

export interface WindowToken extends Omit<TokenPart, 'id'> {
  readonly id: number;
  /** UTF-16 offsets in the document. */
  readonly start: number;
  readonly end: number;
  readonly role: TokenRole;
}

/** Tokens that touch a stretch of a document. */
export interface TokenWindow {
  readonly version: number;
  /** UTF-16 offsets of `text` in the document: the stretch that was asked for, widened to whole characters. */
  readonly from: number;
  readonly to: number;
  readonly text: string;
  readonly columns: readonly (
    | {
        readonly vocabulary: VocabularyId;
        /** Place of the first of `tokens` among all of the document; null until all before it were encoded. */
        readonly first: number | null;
        readonly tokens: readonly WindowToken[];
      }
    | VocabularyFailure
  )[];
}

export interface TokenDetail extends TokenPart {
  readonly id: number;
  readonly role: TokenRole;
  readonly origin: TokenOrigin;
}
