import type { Step } from './tokenizerJson.js';

const replace = (pattern: { readonly String: string } | { readonly Regex: string }, content: string): Step => ({
  type: 'Replace',
  pattern,
  content,
});

/** Rust lowers each character by itself; JavaScript's Σ at the end of a word becomes ς. */
const SIGMA = replace({ String: 'Σ' }, 'σ');

/** BERT's Chinese characters beyond the first plane, which the library walks over by halves. */
const SUPPLEMENTARY_CHINESE = replace(
  { Regex: '[\u{20000}-\u{2A6DF}\u{2A700}-\u{2B81F}\u{2B920}-\u{2CEAF}\u{2F800}-\u{2FA1F}]' },
  ' $& ',
);

/** What SentencePiece was first made for, machine translation: control characters fall away, what looks like a space becomes one. */
const NMT: readonly Step[] = [
  replace({ Regex: '[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]' }, ''),
  replace({ Regex: '[\u0009\u000a\u000c\u000d\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]' }, ' '),
];

/** The normaliser in terms that the library computes as Hugging Face's Rust library does. */
export function exactNormalizer(step: Step | null): Step | null {
  switch (step?.type) {
    case 'Sequence':
      return { ...step, normalizers: ((step.normalizers ?? []) as readonly Step[]).map(exactNormalizer) };
    case 'Nmt':
      return { type: 'Sequence', normalizers: NMT };
    case 'Lowercase':
      return { type: 'Sequence', normalizers: [SIGMA, step] };
    case 'BertNormalizer': {
      const spaced = step.handle_chinese_chars === true ? [SUPPLEMENTARY_CHINESE] : [];
      return { type: 'Sequence', normalizers: [...spaced, ...(step.lowercase === true ? [SIGMA] : []), step] };
    }
    default:
      return step;
  }
}
