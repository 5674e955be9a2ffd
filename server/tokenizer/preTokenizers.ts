import { flatten, type Step, type TokenizerJson } from './tokenizerJson.js';

/** GPT-2's split, as Oniguruma and Rust read it (their \s is Unicode's white space, JavaScript's is not quite). */
export const GPT2_SPLIT = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

export const sequence = (...pretokenizers: readonly Step[]): Step => ({ type: 'Sequence', pretokenizers });

export const split = (regex: string, behavior = 'Isolated', invert = false): Step => ({
  type: 'Split',
  pattern: { Regex: regex },
  behavior,
  invert,
});

const escapeRegex = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

const INVERTED: Readonly<Record<string, string>> = {
  Isolated: 'Isolated',
  Contiguous: 'Isolated',
  MergedWithPrevious: 'MergedWithNext',
  MergedWithNext: 'MergedWithPrevious',
};

/** Behaviours the library does not know, as isolated splits on a wider pattern. */
function widen(step: Step): Step {
  const pattern = step.pattern as { readonly Regex?: string; readonly String?: string } | undefined;
  const regex = pattern?.Regex ?? (pattern?.String === undefined ? null : escapeRegex(pattern.String));
  if (regex === null) return step;
  if (step.behavior === 'Removed') return split(regex, 'Removed', step.invert === true); // it keeps a string that is to be removed
  // What lies between the matches, then, counts as one, and matches that touch each other are still several.
  switch (step.invert === true ? INVERTED[String(step.behavior)] : step.behavior) {
    case 'Isolated':
      return split(regex);
    case 'MergedWithPrevious':
      // Up to the pattern or the end: a search that fails at the end would start again at every character.
      return split(`(?:(?!${regex})[\\s\\S])*(?:${regex}|(?![\\s\\S]))`);
    case 'MergedWithNext':
      return split(`(?:${regex})(?:(?!${regex})[\\s\\S])*`);
    case 'Contiguous':
      return split(`(?:${regex})+`);
    default:
      return step;
  }
}

const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}';
const PUNCTUATION = '\\p{P}!-/:-@\\[-`{-~';

function exact(step: Step): Step {
  switch (step.type) {
    case 'Sequence':
      return { ...step, pretokenizers: ((step.pretokenizers ?? []) as readonly Step[]).map(exact) };
    // The library's \d is ASCII; Rust's is_numeric has ½, ² and the other scripts' digits.
    case 'Digits':
      return split(step.individual_digits === true ? '\\p{N}' : '\\p{N}+');
    // Its \w is ASCII, and of Rust's, numbers that are no digits are no part.
    case 'Whitespace':
      return split(`[${WORD}]+|[^${WORD}\\s]+`, 'Removed', true);
    case 'WhitespaceSplit':
      return split('\\S+', 'Removed', true);
    // Its white space is JavaScript's, which a byte order mark belongs to.
    case 'BertPreTokenizer':
      return split(`[^\\s${PUNCTUATION}]+|[${PUNCTUATION}]`, 'Removed', true);
    case 'Punctuation':
      return widen(split(`[${PUNCTUATION}]`, (step.behavior as string | undefined) ?? 'Isolated'));
    case 'CharDelimiterSplit':
      return split(escapeRegex(String(step.delimiter)), 'Removed');
    case 'Split':
      return widen(step);
    case 'Metaspace': {
      const scheme = step.prepend_scheme ?? (step.add_prefix_space === false ? 'never' : 'always');
      const mark = String(step.replacement ?? '▁');
      const metaspace = { ...step, prepend_scheme: scheme };
      return step.split === false ? metaspace : sequence(metaspace, widen(split(escapeRegex(mark), 'MergedWithNext')));
    }
    case 'ByteLevel':
      return step.use_regex === false || step.add_prefix_space === true
        ? step
        : sequence(split(GPT2_SPLIT), { ...step, use_regex: false });
    default:
      return step;
  }
}

/** A vocabulary with more tokens across words than this is not made of words. */
const MAX_CROSSINGS = 64;

/**
 * SentencePiece's BPE merges over the whole text. A merge makes a token, so none can cross the start of a word (a mark after
 * another character) but where a token that does is spelled out: cutting everywhere else changes nothing, and a megabyte of text
 * becomes words that are looked up.
 */
function cutAtMarks(json: TokenizerJson): Step | null {
  if (json.model.type !== 'BPE' || !flatten(json.normalizer).some((step) => step.type === 'Replace' && step.content === '▁'))
    return null;
  const crossings: string[] = [];
  for (const token in json.model.vocab as Record<string, number>) {
    for (const { index } of token.matchAll(/(?<=[^▁])▁/gu)) {
      crossings.push(`(?<=${escapeRegex(token.slice(0, index))})(?=${escapeRegex(token.slice(index))})▁+`);
    }
    if (crossings.length > MAX_CROSSINGS) return null;
  }
  return split(`▁*(?:${['[^▁]', ...crossings].join('|')})+|▁+`);
}

/** Gemma's file splits at spaces, after its normaliser has replaced all of them. */
const isIdle = (step: Step): boolean =>
  step.type === 'Split' && (step.pattern as { readonly String?: string } | undefined)?.String === ' ';

/** The pre-tokeniser in terms that the library computes as Hugging Face's Rust library does. */
export function exactPreTokenizer(json: TokenizerJson): Step | null {
  const step = json.pre_tokenizer;
  if (step === null) return cutAtMarks(json);
  return (isIdle(step) ? cutAtMarks(json) : null) ?? exact(step);
}
