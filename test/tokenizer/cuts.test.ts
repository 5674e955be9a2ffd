/** Text that is cut where a tokenizer says it may be has the same tokens, at the same places, as the whole. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CUT, encodePart } from '../../server/tokenizer/cuts.js';
import { namedTokenizer, tokenizerNames } from '../../server/tokenizer/named.js';
import { createTokenizer } from '../../server/tokenizer/registry.js';
import type { Tokenizer } from '../../server/tokenizer/tokenizer.js';

const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/tokenizers/${name}.json`, import.meta.url), 'utf8'));
const strings: readonly string[] = [...fixture('tricky').strings, ...fixture('named').strings];

/** Every string before every line end, in an order that a seed gives. */
function text(seed: number): string {
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state % below;
  };
  const ends = ['\n', '\r\n', '\n\n', ' \n', '\t\n', '!\n', '"\n', "'\n"];
  return Array.from({ length: 400 }, () => `${strings[random(strings.length)]}${ends[random(ends.length)]}`).join('');
}

function compare(name: string, tokenizer: Tokenizer): void {
  for (const seed of [1, 2, 3]) {
    const whole = text(seed);
    const cuts = [0, ...Array.from(whole.matchAll(CUT), ({ index }) => index), whole.length];
    assert.ok(cuts.length > 150);
    const parts = cuts.slice(1).flatMap((end, i) => {
      const start = cuts[i] as number;
      const following = whole.slice(end, end + 2).match(/^./u)?.[0] ?? '';
      return encodePart(tokenizer, whole.slice(start, end), following, i > 0).map((piece) => ({
        ...piece,
        start: piece.start + start,
        end: piece.end + start,
      }));
    });
    assert.deepEqual(parts, tokenizer.encode(whole, { special: false }), `${name}, seed ${seed}`);
  }
}

for (const name of tokenizerNames) {
  test(`${name} encodes lines apart`, async () => {
    const tokenizer = await namedTokenizer(name);
    assert.equal(tokenizer.cutsAtLines, true);
    compare(name, tokenizer);
  });
}

for (const name of ['per_digit', 'metaspace_bpe', 'wordpiece', 'byte_level', 'metaspace_first', 'unigram']) {
  test(`${name}: only where it says so`, async () => {
    const tokenizerJson = JSON.stringify(fixture(name).tokenizer);
    const tokenizer = await createTokenizer({ kind: 'hf', tokenizerJson, configJson: null, chatTemplate: null });
    assert.equal(tokenizer.cutsAtLines, ['per_digit', 'metaspace_bpe', 'wordpiece'].includes(name));
    if (tokenizer.cutsAtLines) compare(name, tokenizer);
  });
}

test('SentencePiece in GGUF encodes lines apart', async () => {
  const tokenizer = await createTokenizer({ kind: 'gguf', metadata: fixture('sentencepiece_bpe').tokenizer });
  assert.equal(tokenizer.cutsAtLines, true);
  compare('sentencepiece_bpe', tokenizer);
});
