import type { VocabularyId, WindowToken } from '../protocol/tokens.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { Chunk } from './chunkedText.js';
import { encoded, isEncoded } from './encodedChunk.js';

const isLow = (unit: string | undefined) => unit !== undefined && unit >= '\udc00' && unit <= '\udfff';
const isHigh = (unit: string | undefined) => unit !== undefined && unit >= '\ud800' && unit <= '\udbff';

/** The chunks in their order, each with its first offset. */
function* placed(chunks: readonly Chunk[]): Generator<readonly [chunk: Chunk, start: number]> {
  let start = 0;
  for (const chunk of chunks) {
    yield [chunk, start];
    start += chunk.text.length;
  }
}

/** [from, to) of the text, widened so that it cuts no character. Chunks cut none. */
export function stretch(chunks: readonly Chunk[], from: number, to: number): { from: number; to: number; text: string } {
  const shown = { from, to, text: '' };
  for (const [{ text }, start] of placed(chunks)) {
    if (start > to || start + text.length < from) continue;
    let [head, tail] = [Math.max(0, from - start), Math.min(text.length, to - start)];
    if (isLow(text[head]) && isHigh(text[head - 1])) head--;
    if (isLow(text[tail]) && isHigh(text[tail - 1])) tail++;
    shown.from = Math.min(shown.from, start + head);
    shown.to = Math.max(shown.to, start + tail);
    shown.text += text.slice(head, tail);
  }
  return shown;
}

/** Tokens that touch [from, to), and the place of the first among all, which is known when all chunks before it were encoded. */
export function tokensIn(
  id: VocabularyId,
  tokenizer: Tokenizer,
  chunks: readonly Chunk[],
  from: number,
  to: number,
): { readonly first: number | null; readonly tokens: readonly WindowToken[] } {
  const tokens: WindowToken[] = [];
  let first: number | null = 0;
  for (const [chunk, at] of placed(chunks)) {
    if (at > to) break;
    if (at + chunk.text.length < from) {
      first = first === null || !isEncoded(id, chunk) ? null : first + encoded(id, tokenizer, chunk).ids.length;
      continue;
    }
    const { ids, starts, ends } = encoded(id, tokenizer, chunk);
    for (const [i, token] of ids.entries()) {
      const [start, end] = [at + (starts[i] as number), at + (ends[i] as number)];
      // A token without text (a mark that was put before it) is where it is.
      const touches = start === end ? start >= from && start <= to : start < to && end > from;
      if (touches) {
        const bytes = [...tokenizer.bytes(token)];
        tokens.push({ id: token, start, end, role: tokenizer.role(token), text: tokenizer.text(token), bytes });
      } else if (tokens.length === 0 && first !== null) first++;
    }
  }
  return { first, tokens };
}
