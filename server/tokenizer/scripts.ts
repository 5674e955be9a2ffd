/** Kinds of characters, by their Unicode script where they have one. The first that fits counts. */
const KINDS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['White space', /\p{White_Space}/u],
  ['Emoji', /\p{Emoji_Presentation}|\p{Extended_Pictographic}|\p{Regional_Indicator}|[\u{1F3FB}-\u{1F3FF}]/u],
  ['Digits', /\p{N}/u],
  ...[
    ['Latin', 'Greek', 'Cyrillic', 'Armenian', 'Georgian', 'Hebrew', 'Arabic', 'Syriac', 'Ethiopic'],
    ['Devanagari', 'Bengali', 'Gurmukhi', 'Gujarati', 'Tamil', 'Telugu', 'Kannada', 'Malayalam', 'Sinhala'],
    ['Thai', 'Lao', 'Khmer', 'Myanmar', 'Tibetan', 'Mongolian', 'Han', 'Hiragana', 'Katakana', 'Hangul'],
  ]
    .flat()
    .map((name) => [name, new RegExp(`\\p{Script=${name}}`, 'u')] as const),
  ['Other letters', /\p{L}/u],
  ['Punctuation', /\p{P}/u],
  ['Symbols', /\p{S}/u],
  ['Control and format', /\p{C}/u],
];

/** Marks and joiners belong to what they stand behind. */
const INHERITS = /\p{M}|\u200d|\ufe0e|\ufe0f/u;

export const scriptNames: readonly string[] = [...KINDS.map(([name]) => name), 'Other'];

export const WHITE_SPACE = 0;

const INHERITED = 255;
const known = new Map<number, number>();

function kindOf(codePoint: number): number {
  const kind = known.get(codePoint);
  if (kind !== undefined) return kind;
  const character = String.fromCodePoint(codePoint);
  const found = KINDS.findIndex(([, pattern]) => pattern.test(character));
  const now = INHERITS.test(character) ? INHERITED : found < 0 ? KINDS.length : found;
  known.set(codePoint, now);
  return now;
}

/** For each UTF-16 unit of `text` the index of its kind in `scriptNames`, and how many characters there are of each. */
export function scriptsOf(text: string): { readonly kinds: Uint8Array; readonly characters: Int32Array } {
  const kinds = new Uint8Array(text.length);
  const characters = new Int32Array(scriptNames.length);
  let last = KINDS.length;
  for (let i = 0; i < text.length; ) {
    const codePoint = text.codePointAt(i) as number;
    const width = codePoint > 0xffff ? 2 : 1;
    const kind = kindOf(codePoint);
    if (kind !== INHERITED) last = kind;
    kinds.fill(last, i, i + width);
    characters[last] = (characters[last] as number) + 1;
    i += width;
  }
  return { kinds, characters };
}
