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
