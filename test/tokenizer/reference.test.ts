/**
 * Against the reference libraries: test/fixtures/tokenizers/*.json hold small vocabularies with the ids and offsets that
 * Hugging Face's tokenizers 0.23.3 (or SentencePiece 0.2.3) gave; make.py beside them made them. rwkv_world.json and
 * smollm2.json hold ids of the published vocabularies, from the rwkv and tokenizers packages; gemma3.json and minilm.json those of
 * published vocabularies reduced to what their strings can use (makeReduced.py).
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gguf } from '@huggingface/gguf';
import { ggufPreTokenizerNames, preTokenizerOfGguf } from '../../server/tokenizer/ggufPreTokenizers.js';
import { createTokenizer } from '../../server/tokenizer/registry.js';
import type { Piece, Tokenizer } from '../../server/tokenizer/tokenizer.js';

interface Case {
  readonly text: string;
  readonly ids: readonly number[];
  readonly offsets?: readonly (readonly [number, number])[];
  readonly decoded?: string;
}

interface ByteLevelJson {
  readonly model: { readonly vocab: Record<string, number>; readonly merges: readonly [string, string][] };
  readonly added_tokens: readonly { readonly id: number; readonly content: string; readonly special: boolean }[];
}

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');

function fixture(name: string): { readonly tokenizer: Record<string, unknown> | null; readonly cases: readonly Case[] } {
  return JSON.parse(read(`../fixtures/tokenizers/${name}.json`));
}

const open = (tokenizerJson: string) => createTokenizer({ kind: 'hf', tokenizerJson, configJson: null, chatTemplate: null });

/**
 * Offsets are the library's, but for two things: a mark that was put before the text stands for no text here (there, for the
 * first character), and what normalisation composes, drops or collapses stands for all of its source (there, for a part of it).
 */
function assertOffsets(text: string, pieces: readonly Piece[], offsets: readonly (readonly [number, number])[]): void {
  const plain = text.normalize('NFKD') === text && !/ {2}|\p{M}/u.test(text);
  pieces.forEach((piece, index) => {
    const [start, end] = offsets[index] as readonly [number, number];
    const ours = `${piece.start}–${piece.end}`;
    const what = `offsets of token ${index} of ${JSON.stringify(text)}: ${ours}, expected ${start}–${end}`;
    if (piece.text === ' ' && piece.start === piece.end) assert.ok(piece.start <= start, what);
    else if (plain) assert.equal(ours, `${start}–${end}`, what);
    else assert.ok(piece.start <= start && end <= piece.end, what);
  });
}

function compare(tokenizer: Tokenizer, cases: readonly Case[]): void {
  assert.ok(cases.length > 50);
  for (const { text, ids, offsets, decoded } of cases) {
    const pieces = tokenizer.encode(text);
    assert.deepEqual(
      pieces.map((piece) => piece.id),
      ids,
      `ids of ${JSON.stringify(text)}`,
    );
    if (offsets) assertOffsets(text, pieces, offsets);
    if (decoded !== undefined) assert.equal(tokenizer.decode(ids), decoded, `decoding of ${JSON.stringify(text)}`);
  }
}

for (const name of [
  'byte_level',
  'per_digit',
  'metaspace_bpe',
  'metaspace_first',
  'unigram',
  'wordpiece',
  'word_level',
  'bert_words',
]) {
  test(`${name}: ids, offsets and text as the tokenizers library gives them`, async () => {
    const { tokenizer, cases } = fixture(name);
    compare(await open(JSON.stringify(tokenizer)), cases);
  });
}

test('the embedded models’ tokenizer', async () => {
  compare(await open(read('../../media/models/tiny-llama/tokenizer.json')), fixture('embedded').cases);
});

test('MiniLM: 150 strings and those that break tokenizers', async () => {
  const { tokenizer, cases } = fixture('minilm');
  compare(await open(JSON.stringify(tokenizer)), cases);
});

test('Gemma 3 in a GGUF: 150 strings and those that break tokenizers', async () => {
  const { tokenizer, cases } = fixture('gemma3');
  compare(await createTokenizer({ kind: 'gguf', metadata: tokenizer ?? {} }), cases);
});

test('GGUF metadata: SentencePiece scores', async () => {
  const { tokenizer, cases } = fixture('sentencepiece_bpe');
  compare(await createTokenizer({ kind: 'gguf', metadata: tokenizer ?? {} }), cases);
});

/** A byte-level fixture as a GGUF would hold it. */
function asGguf({ tokenizer }: ReturnType<typeof fixture>, pre: string): Record<string, unknown> {
  const { model, added_tokens } = tokenizer as unknown as ByteLevelJson;
  const tokens = Object.entries(model.vocab)
    .sort((a, b) => a[1] - b[1])
    .map(([token]) => token);
  const types = tokens.map(() => 1);
  for (const { id, content, special } of added_tokens) {
    tokens[id] = content;
    types[id] = special ? 3 : 4;
  }
  return {
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': pre,
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.token_type': types,
    'tokenizer.ggml.merges': model.merges.map((pair) => pair.join(' ')),
  };
}

for (const [name, pre] of [
  ['per_digit', 'smollm'],
  ['byte_level', 'qwen2'],
] as const) {
  test(`GGUF metadata: byte-level BPE, pre-tokeniser ${pre}`, async () => {
    const made = fixture(name);
    // GGUF has no lstrip, rstrip or single_word: the text that tests them is left out.
    const cases = made.cases.filter(({ text }) => !text.includes('<L>'));
    compare(await createTokenizer({ kind: 'gguf', metadata: asGguf(made, pre) }), cases);
  });
}

test('every pre-tokeniser of GGUF that is known splits any text and loses nothing', async () => {
  const made = fixture('per_digit');
  assert.ok(ggufPreTokenizerNames.length > 30);
  for (const pre of ggufPreTokenizerNames) {
    const tokenizer = await createTokenizer({ kind: 'gguf', metadata: asGguf(made, pre) });
    for (const { text } of made.cases) {
      const ids = tokenizer.encode(text).map((piece) => piece.id);
      const composed = preTokenizerOfGguf(pre)?.composes === true ? text.normalize('NFC') : text;
      assert.equal(tokenizer.decode(ids, { skipSpecial: false }), composed, pre);
    }
  }
});

test('RWKV World: 150 strings', async () => {
  compare(await createTokenizer({ kind: 'rwkv_world' }), fixture('rwkv_world').cases);
});

const smollm2 = process.env.MODEL_LAB_SMOLLM2 ?? '.cache/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf';
test('SmolLM2’s GGUF: 150 strings and the prompts of its oracle', {
  skip: existsSync(smollm2) ? false : `no ${smollm2}`,
}, async () => {
  const { metadata } = await gguf(smollm2, { allowLocalFile: true });
  compare(
    await createTokenizer({ kind: 'gguf', metadata: metadata as unknown as Record<string, unknown> }),
    fixture('smollm2').cases,
  );
});
