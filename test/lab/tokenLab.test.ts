/** The tokens of a document that is edited are those of its text, whatever was kept; and only what changed is encoded again. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ChunkedText } from '../../server/lab/chunkedText.js';
import type { Lab } from '../../server/lab/lab.js';
import { TokenLab } from '../../server/lab/tokenLab.js';
import { Vocabularies } from '../../server/lab/vocabularies.js';
import type { TextChange, TokenCounts, WindowToken } from '../../server/protocol/tokens.js';
import { namedTokenizer } from '../../server/tokenizer/named.js';
import type { Piece } from '../../server/tokenizer/tokenizer.js';

const root = path.resolve(import.meta.dirname, '../..');
const tiny = path.join(root, 'media/models/tiny-llama');
const strings: readonly string[] = JSON.parse(
  readFileSync(path.join(root, 'test/fixtures/tokenizers/tricky.json'), 'utf8'),
).strings;
const vocabularies = () => new Vocabularies({ models: { list: [], at: () => null } } as unknown as Lab);
const lab = () => new TokenLab(vocabularies());
const never = new AbortController().signal;
const quiet = () => undefined;

const whole = (it: TokenLab, text: string) =>
  it.sync({ document: 'doc', version: 1, base: null, length: text.length, text, changes: [] });
const compare = (it: TokenLab, vocabularies: readonly string[], file: string | null = null, signal = never) =>
  it.compare({ document: 'doc', version: 1, vocabularies, file }, signal, quiet);

function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state % below;
  };
}

const prose = (lines: number, pick: (below: number) => number): string =>
  Array.from({ length: lines }, () => `${strings[pick(strings.length)]}${['\n', '\r\n', '\n\n', '. '][pick(4)]}`).join('');

async function counts(it: TokenLab, ids: readonly string[]): Promise<readonly TokenCounts[]> {
  const { columns } = await compare(it, ids);
  return columns.map((column) => {
    assert.ok('tokens' in column, JSON.stringify(column));
    return column;
  });
}

test('after any edits the tokens are those of the text', async () => {
  const pick = random(7);
  const ids = ['o200k_base', 'llama2', 'rwkv_world', tiny];
  const it = lab();
  let text = prose(700, pick);
  whole(it, text);
  for (let version = 2; version < 40; version++) {
    const changes: TextChange[] = Array.from({ length: 1 + pick(3) }, () => {
      const from = pick(10) === 0 ? 0 : pick(text.length + 1);
      const to = Math.min(text.length, from + (pick(3) === 0 ? pick(3000) : pick(4)));
      const change = { from, to, text: [prose(pick(30), pick), 'x', '\n', '', '\n\nWord', '\ud83d'][pick(6)] as string };
      text = text.slice(0, from) + change.text + text.slice(to);
      return change;
    });
    it.sync({ document: 'doc', version, base: version - 1, length: text.length, text: null, changes });
    if (version % 4 !== 0) continue;
    const got = await counts(it, ids);
    for (const [i, id] of ids.entries()) {
      const { tokenizer } = await vocabularies().get(id);
      const pieces = tokenizer.encode(text, { special: false });
      assert.equal(got[i]?.tokens, pieces.length, `${id}, version ${version}`);
      const from = pick(text.length);
      const window = await it.window({
        document: 'doc',
        version,
        vocabularies: [id],
        from,
        to: Math.min(text.length, from + 900),
      });
      const column = window.columns[0] as { first: number; tokens: readonly WindowToken[] };
      assert.equal(window.text, text.slice(window.from, window.to));
      assert.deepEqual(
        column.tokens.map(({ id: token, start, end }) => [token, start, end]),
        pieces.slice(column.first, column.first + column.tokens.length).map((piece) => [piece.id, piece.start, piece.end]),
      );
      assert.ok((pieces[column.first - 1]?.end ?? 0) <= window.from);
      assert.ok((pieces[column.first + column.tokens.length]?.start ?? window.to) >= window.to);
    }
  }
});

test('an edit encodes the chunk it is in, not the document', async () => {
  const it = lab();
  const text = 'Once upon a time there was a house.\n'.repeat(30_000);
  whole(it, text);
  const [first] = await counts(it, ['cl100k_base']);
  assert.equal(first?.encoded, text.length);
  const changes = [{ from: 500_000, to: 500_000, text: 'x' }];
  it.sync({ document: 'doc', version: 2, base: 1, length: text.length + 1, text: null, changes });
  const [second] = await counts(it, ['cl100k_base']);
  assert.ok((second?.encoded ?? 0) > 0 && (second?.encoded ?? 0) < 10_000, `${second?.encoded} characters`);
  const [third] = await counts(it, ['cl100k_base']);
  assert.equal(third?.encoded, 0);
});

test('counts: characters, words, bytes, lines, scripts, roles', async () => {
  const it = lab();
  whole(it, '我爱 Ada, 😀 e\u0301 12!\nПривет\n');
  const { text, columns } = await compare(it, ['cl100k_base', 'llama2'], '/tmp/a b.txt');
  assert.deepEqual(text, { characters: 24, words: 6, bytes: Buffer.byteLength('我爱 Ada, 😀 e\u0301 12!\nПривет\n'), lines: 3 });
  const [openAi, llama] = columns as [TokenCounts, TokenCounts];
  const of = (name: string, { scripts }: TokenCounts) => scripts.find(({ script }) => script === name);
  assert.deepEqual(of('Han', openAi)?.characters, 2);
  assert.equal(of('Latin', openAi)?.characters, 5);
  assert.equal(of('Emoji', openAi)?.characters, 1);
  assert.equal(of('Cyrillic', openAi)?.characters, 6);
  assert.equal(
    openAi.scripts.reduce((sum, { tokens }) => sum + tokens, 0),
    openAi.tokens,
  );
  // 爱 is not in Llama's vocabulary: three bytes; the emoji's four, and both line breaks.
  assert.equal(llama.roles.byte, 9);
  assert.equal(of('Emoji', llama)?.tokens, 4);
  assert.equal(llama.difference, null);
  assert.match(openAi.command ?? '', /cli\.js tokenize --tokenizer cl100k_base --file '\/tmp\/a b\.txt' --json$/);
});

test('the round trip says where text is lost first', async () => {
  const it = lab();
  const lines = 'Plain words.\n'.repeat(500);
  whole(it, `${lines}Word \u2581 mark\n${lines}`);
  const [llama, openAi] = await counts(it, ['llama2', 'cl100k_base']);
  assert.deepEqual(llama?.difference, {
    at: lines.length + 5,
    expected: '▁ mark\nPlain words.\nPlai',
    decoded: '  mark\nPlain words.\nPlai',
  });
  assert.equal(openAi?.difference, null);
});

test('what does not work is said of that vocabulary, or of the document', async () => {
  const it = lab();
  await assert.rejects(compare(it, ['gpt2']), { code: 'DOCUMENT_UNKNOWN' });
  whole(it, 'a');
  const edit = { document: 'doc', version: 2, text: null, changes: [] };
  assert.throws(() => it.sync({ ...edit, base: 2, length: 1 }), { code: 'DOCUMENT_UNKNOWN' });
  const { columns } = await compare(it, ['gpt2', '/no/such/model']);
  assert.equal((columns[0] as TokenCounts).tokens, 1);
  assert.deepEqual(
    [columns[1]].map((column) => column && 'error' in column && column.error.code),
    ['FILE_NOT_FOUND'],
  );
  const controller = new AbortController();
  controller.abort();
  whole(it, 'Some words.\n'.repeat(100_000));
  await assert.rejects(compare(it, ['rwkv_world'], null, controller.signal), { code: 'CANCELLED' });
});

test('why a token, by vocabulary and id', async () => {
  const it = lab();
  const [{ id }] = (await namedTokenizer('gpt2')).encode(' hello') as readonly [Piece];
  const detail = await it.origin('gpt2', id);
  assert.deepEqual([detail.text, detail.role, detail.origin.how], [' hello', 'text', 'merges']);
});

test('chunks are cut at lines and hold the text', () => {
  const text = ChunkedText.of('One line of words.\n'.repeat(1000), 1);
  assert.ok(text.chunks.length > 5);
  assert.equal(text.chunks.map((chunk) => chunk.text).join(''), text.whole.text);
  assert.ok(text.chunks.slice(1).every((chunk) => chunk.text.startsWith('One') && !chunk.isFirst));
  assert.ok(text.chunks.slice(0, -1).every((chunk) => chunk.following === 'O'));
});
