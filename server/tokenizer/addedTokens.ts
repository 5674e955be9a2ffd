import { type Aligned, slice } from './alignment.js';
import type { AddedTokenJson } from './tokenizerJson.js';
import { Trie, utf16 } from './trie.js';

/** A stretch of text: either one added token or text between them. */
export interface Section {
  readonly token: AddedTokenJson | null;
  readonly text: Aligned;
}

const WORD = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u;
const SPACE = /\p{White_Space}/u;

/** Finds added tokens in text, leftmost and longest first, as the tokenizers library does. */
export class AddedTokens {
  readonly #trie = new Trie(0x10000);
  readonly #tokens: AddedTokenJson[] = [];

  /** @param tokens each with the spelling to look for (its content, perhaps normalised) */
  constructor(tokens: Iterable<readonly [spelling: string, token: AddedTokenJson]>) {
    for (const [spelling, token] of tokens) {
      if (spelling !== '') this.#trie.add(utf16(spelling), this.#tokens.push(token) - 1);
    }
  }

  split(text: Aligned): readonly Section[] {
    if (this.#tokens.length === 0) return text.text === '' ? [] : [{ token: null, text }];
    const sections: Section[] = [];
    const units = utf16(text.text);
    let done = 0;
    const emit = (token: AddedTokenJson | null, from: number, to: number) => {
      if (to > from) sections.push({ token, text: slice(text, from, to) });
    };
    for (let i = 0; i < units.length; ) {
      const match = this.#trie.longest(units, i);
      const token = match && (this.#tokens[match.value] as AddedTokenJson);
      if (!match || !token || (token.single_word === true && touchesWord(text.text, i, match.end))) {
        i++;
        continue;
      }
      let start = i;
      let end = match.end;
      if (token.lstrip === true) while (start > done && SPACE.test(text.text[start - 1] as string)) start--;
      if (token.rstrip === true) while (end < units.length && SPACE.test(text.text[end] as string)) end++;
      emit(null, done, start);
      emit(token, start, end);
      done = i = end;
    }
    emit(null, done, units.length);
    return sections;
  }
}

const touchesWord = (text: string, start: number, end: number): boolean =>
  WORD.test(text.slice(Math.max(0, start - 1), start)) || WORD.test(text.slice(end, end + 1));
