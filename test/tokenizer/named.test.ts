/**
 * The vocabularies that come with the lab. fixtures/tokenizers/named.json holds ids of 150 strings: of tiktoken 0.14.0 for OpenAI's, of
 * the PyPI package rwkv 0.8.32 for RWKV's, of llama-tokenizer-js, llama3-tokenizer-js and mistral-tokenizer-js for the others; and
 * under "edges" tiktoken's ids where its regular expressions are read differently in JavaScript: marks, white space, long runs.
 * fixtures/tokenizers/tricky.json, made by makeTricky.py beside it, has what breaks tokenizers: emoji, marks, line ends, NUL, runs of
 * white space, names of special tokens as text; and Qwen's ids (of tokenizers 0.23.3) of the 150 strings.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { namedTokenizer, tokenizerNames } from '../../server/tokenizer/named.js';
import type { Tokenizer } from '../../server/tokenizer/tokenizer.js';

interface Reference {
  readonly strings: readonly string[];
  /** By tokenizer, then by string. */
  readonly ids: Readonly<Record<string, readonly (readonly number[])[]>>;
}
const read = (name: string) => JSON.parse(readFileSync(new URL(`../fixtures/tokenizers/${name}.json`, import.meta.url), 'utf8'));
interface Tricky extends Reference {
  readonly usual: Reference['ids'];
  /** `unit` repeated: by tokenizer the number of ids and the SHA-256 of them, joined by commas. */
  readonly long: readonly {
    readonly unit: string;
    readonly times: number;
    readonly ids: Readonly<Record<string, [number, string]>>;
  }[];
}
const tricky: Tricky = read('tricky');
const named: Reference & { readonly edges: Reference } = read('named');
const fixture = { ...named, ids: { ...named.ids, ...tricky.usual } };

const plainSpaces = (text: string) => text.replaceAll('▁', ' ');
/** SentencePiece takes its mark for a space; Qwen composes what it reads. */
const changes: Readonly<Record<string, (text: string) => string>> = {
  llama2: plainSpaces,
  mistral: plainSpaces,
  qwen3: (text) => text.normalize('NFC'),
};

function compare(name: string, tokenizer: Tokenizer, { strings, ids }: Reference): void {
  strings.forEach((text, index) => {
    const pieces = tokenizer.encode(text);
    const expected = ids[name]?.[index] as readonly number[];
    assert.deepEqual(
      pieces.map(({ id }) => id),
      expected,
      `${name}: ids of ${JSON.stringify(text)}`,
    );
    const back = tokenizer.decode(expected, { skipSpecial: false });
    assert.equal(back, changes[name]?.(text) ?? text, `${name}: ${JSON.stringify(text)} and back`);
    let covered = 0;
    for (const { start, end } of pieces) {
      assert.ok(start <= covered && end >= start, `${name}: a gap at ${covered} of ${JSON.stringify(text)}`);
      covered = Math.max(covered, end);
    }
    assert.equal(covered, text.length, `${name}: tokens cover ${JSON.stringify(text)}`);
  });
}

test('the fixture has every name', () => {
  assert.deepEqual([...tokenizerNames].sort(), Object.keys(fixture.ids).sort());
});

for (const name of tokenizerNames) {
  test(`${name}: 150 strings have the reference's ids, decode to themselves and are covered`, async () => {
    compare(name, await namedTokenizer(name), fixture);
  });
}

for (const name of tokenizerNames) {
  test(`${name}: text that breaks tokenizers`, async () => {
    compare(name, await namedTokenizer(name), tricky);
  });
}

for (const name of tokenizerNames) {
  test(`${name}: tens of thousands of characters without a place to split`, async () => {
    const tokenizer = await namedTokenizer(name);
    for (const { unit, times, ids } of tricky.long) {
      const ours = tokenizer.encode(unit.repeat(times)).map(({ id }) => id);
      const digest = createHash('sha256').update(ours.join()).digest('hex');
      assert.deepEqual([ours.length, digest], ids[name], `${times} × ${JSON.stringify(unit)}`);
    }
  });
}

for (const name of Object.keys(fixture.edges.ids)) {
  test(`${name}: byte order marks, white space of every kind, long runs as tiktoken has them`, async () => {
    compare(name, await namedTokenizer(name), fixture.edges);
  });
}

test('a tokenizer is loaded once', async () => {
  assert.equal(await namedTokenizer('gpt2'), await namedTokenizer('gpt2'));
});

test('special tokens: sizes, ends, text', async () => {
  const [gpt2, o200k, llama3] = await Promise.all(['gpt2', 'o200k_base', 'llama3'].map(namedTokenizer));
  assert.deepEqual([gpt2?.vocabSize, o200k?.vocabSize, llama3?.vocabSize], [50257, 200019, 128256]);
  assert.deepEqual([gpt2?.eos, o200k?.eos, llama3?.eos], [[50256], [199999], [128001, 128009]]);
  assert.equal(gpt2?.decode([15496, 50256]), 'Hello');
  assert.equal(gpt2?.decode([15496, 50256], { skipSpecial: false }), 'Hello<|endoftext|>');
  assert.equal(o200k?.text(200018), '<|endofprompt|>');
  assert.deepEqual([...(o200k?.bytes(200018) ?? [0])], []);
  assert.equal(o200k?.text(200010), '[200010]');
  assert.deepEqual(
    llama3?.encode('a<|eot_id|>').map(({ id, start, end }) => [id, start, end]),
    [
      [64, 0, 1],
      [128009, 1, 11],
    ],
  );
});

test('what cannot be done is refused by code', async () => {
  await assert.rejects(namedTokenizer('toString'), (error: { code: string; hint: string }) => {
    assert.equal(error.code, 'TOKENIZER_UNKNOWN');
    return tokenizerNames.every((name) => error.hint.includes(name));
  });
});
