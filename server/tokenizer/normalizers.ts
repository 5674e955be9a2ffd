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

/** The normaliser in terms that the library computes as Hugging Face's Rust library does. */
export function exactNormalizer(step: Step | null): Step | null {
  switch (step?.type) {
    case 'Sequence':
      return { ...step, normalizers: ((step.normalizers ?? []) as readonly Step[]).map(exactNormalizer) };
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
