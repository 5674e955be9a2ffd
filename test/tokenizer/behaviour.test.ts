import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { LabError } from '../../server/protocol/errors.js';
import { createTokenizer } from '../../server/tokenizer/registry.js';
import { StreamDecoder } from '../../server/tokenizer/streamDecoder.js';
import { strftime } from '../../server/tokenizer/strftime.js';
import type { Tokenizer } from '../../server/tokenizer/tokenizer.js';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const fixture = (name: string) => JSON.parse(read(`../fixtures/tokenizers/${name}.json`));
const hf = (json: unknown, config: unknown = null, chatTemplate: string | null = null) =>
  createTokenizer({
    kind: 'hf',
    tokenizerJson: typeof json === 'string' ? json : JSON.stringify(json),
    configJson: config === null ? null : JSON.stringify(config),
    chatTemplate,
  });
const embedded = () =>
  hf(
    read('../../media/models/tiny-llama/tokenizer.json'),
    JSON.parse(read('../../media/models/tiny-llama/tokenizer_config.json')),
  );
const everyKind = async (): Promise<readonly Tokenizer[]> => [
  await embedded(),
  ...(await Promise.all(['byte_level', 'per_digit', 'metaspace_bpe'].map((name) => hf(fixture(name).tokenizer)))),
  await createTokenizer({ kind: 'gguf', metadata: fixture('sentencepiece_bpe').tokenizer }),
  await createTokenizer({ kind: 'rwkv_world' }),
];
const texts: readonly string[] = fixture('embedded').cases.map((each: { text: string }) => each.text);
const code = (expected: string) => (error: unknown) =>
  error instanceof LabError && error.code === expected && error.hint.length > 20;

test('tokens cover the text, in order, and cut no character', async () => {
  for (const tokenizer of await everyKind()) {
    for (const text of [...texts, 'lone \ud83d surrogate \udc00!', '\ud800']) {
      let covered = 0;
      for (const { start, end } of tokenizer.encode(text)) {
        assert.ok(start <= covered && end >= start, `${tokenizer.kind} leaves a gap at ${covered} of ${JSON.stringify(text)}`);
        covered = Math.max(covered, end);
        const isPairCut = (at: number) =>
          /^[\ud800-\udbff]$/.test(text[at - 1] ?? '') && /^[\udc00-\udfff]$/.test(text[at] ?? '');
        assert.ok(!isPairCut(start) && !isPairCut(end));
      }
      assert.equal(covered, text.length, `${tokenizer.kind} of ${JSON.stringify(text)}`);
    }
  }
});

test('bytes of the tokens, joined, are the text; streamed text never changes', async () => {
  for (const tokenizer of await everyKind()) {
    for (const text of texts.filter((each) => each.normalize('NFC') === each && !/<[|/LRWs]/.test(each) && !each.includes('▁'))) {
      const ids = tokenizer.encode(text, { special: false }).map((piece) => piece.id);
      const stream = new StreamDecoder(tokenizer);
      const parts = ids.map((id) => stream.push(id));
      assert.ok(
        parts.every((part) => !part.includes('�')),
        'an unfinished character waits',
      );
      const prefix = tokenizer.encode('a', { special: false })[0]?.text.startsWith(' ') && text !== '' ? ' ' : '';
      assert.equal(parts.join('') + stream.flush(), prefix + text, tokenizer.kind);
      assert.equal(tokenizer.decode(ids), text, tokenizer.kind);
    }
  }
});

test('a character cut off at the end is shown as such, and not before the end', async () => {
  const tokenizer = await embedded();
  const ids = tokenizer.encode('😀').map((piece) => piece.id);
  assert.ok(ids.length > 1);
  const stream = new StreamDecoder(tokenizer);
  assert.equal(
    ids
      .slice(0, -1)
      .map((id) => stream.push(id))
      .join(''),
    '',
  );
  assert.equal(stream.flush(), '�');
  assert.equal(tokenizer.text(ids[0] as number), '�');
});

test('special tokens: recognised in text, without bytes, left out of decoding unless asked for', async () => {
  const tokenizer = await embedded();
  assert.deepEqual([tokenizer.bos, tokenizer.eos, tokenizer.vocabSize], [0, [0], 3072]);
  const pieces = tokenizer.encode('a<|endoftext|>b');
  assert.deepEqual(
    pieces.map(({ id, start, end }) => [id === 0, start, end]),
    [
      [false, 0, 1],
      [true, 1, 14],
      [false, 14, 15],
    ],
  );
  const ids = pieces.map((piece) => piece.id);
  assert.equal(tokenizer.decode(ids), 'ab');
  assert.equal(tokenizer.decode(ids, { skipSpecial: false }), 'a<|endoftext|>b');
  assert.equal(tokenizer.bytes(0).length, 0);
  assert.equal(tokenizer.text(0), '<|endoftext|>');
  assert.equal(tokenizer.text(99999), '[99999]');
});

test('BOS is added, with an empty range, unless told not to', async () => {
  const tokenizer = await hf(fixture('metaspace_bpe').tokenizer, { bos_token: { content: '<s>' }, eos_token: '</s>' });
  assert.deepEqual([tokenizer.bos, tokenizer.eos], [1, [2]]);
  const [first] = tokenizer.encode('Hello');
  assert.deepEqual([first?.id, first?.start, first?.end], [1, 0, 0]);
  assert.notEqual(tokenizer.encode('Hello', { special: false })[0]?.id, 1);
});

test('empty text and lone surrogates', async () => {
  for (const tokenizer of await everyKind()) {
    assert.deepEqual(tokenizer.encode('', { special: false }), []);
    assert.equal(tokenizer.decode([]), '');
    assert.equal(tokenizer.decode(tokenizer.encode('x\ud800y').map((piece) => piece.id)), 'x\ufffdy');
  }
});

test('a megabyte of text, and of one word', async () => {
  const story = 'Once upon a time, there was a little girl named Lily. 我和我的祖国。 She had 12 toys.\n';
  const { tokenizer: metadata } = fixture('sentencepiece_bpe');
  for (const tokenizer of [
    await embedded(),
    await createTokenizer({ kind: 'gguf', metadata }),
    await createTokenizer({ kind: 'rwkv_world' }),
  ]) {
    for (const text of [story.repeat(Math.ceil(1e6 / story.length)), 'a'.repeat(2e5)]) {
      const pieces = tokenizer.encode(text);
      assert.equal(pieces.at(-1)?.end, text.length);
      assert.equal(tokenizer.decode(pieces.map((piece) => piece.id)), text);
    }
  }
});

test('sixty thousand tokens a second, at the very least', async () => {
  const tokenizer = await embedded();
  const words = read('../../media/models/tiny-llama/README.md');
  const text = words.repeat(Math.ceil(200_000 / words.length));
  // Time on the processor: the machine may be busy with other tests.
  const started = process.cpuUsage();
  const tokens = tokenizer.encode(text).length;
  const { user, system } = process.cpuUsage(started);
  const perSecond = (tokens / (user + system)) * 1e6;
  assert.ok(tokens > 60_000 && perSecond > 60_000, `${Math.round(perSecond)} tokens a second`);
});

test('chat templates', async () => {
  const json = fixture('byte_level').tokenizer;
  const template =
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system turns') }}{% endif %}[{{ m.role }}]{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
  const user = [{ role: 'user', content: 'Hi' } as const];
  const expected = '<|endoftext|>[user]Hi\n[assistant]';
  const config = { bos_token: '<|endoftext|>' };
  const fromFile = await hf(json, config, template);
  const fromString = await hf(json, { ...config, chat_template: template });
  const fromList = await hf(json, {
    ...config,
    chat_template: [
      { name: 'tool_use', template: 'x' },
      { name: 'default', template },
    ],
  });
  for (const tokenizer of [fromFile, fromString, fromList]) assert.equal(tokenizer.renderChat?.(user), expected);
  assert.throws(() => fromFile.renderChat?.([{ role: 'system', content: 'x' }]), code('CHAT_TEMPLATE'));
  const broken = await hf(json, { chat_template: '{% for %}' });
  assert.throws(() => broken.renderChat?.(user), code('CHAT_TEMPLATE'));
  assert.equal((await hf(json)).renderChat, null);
  const gguf = await createTokenizer({
    kind: 'gguf',
    metadata: { ...fixture('sentencepiece_bpe').tokenizer, 'tokenizer.chat_template': template },
  });
  assert.equal(gguf.renderChat?.(user), '<s>[user]Hi\n[assistant]');
});

test('chat templates: without tools, by date in English, and content in parts where a template reads nothing else', async () => {
  const json = fixture('byte_level').tokenizer;
  const say = async (template: string, content = 'Hi') => {
    const tokenizer = await hf(json, { chat_template: template });
    return tokenizer.renderChat?.([{ role: 'user', content }]);
  };
  const tools = '{% if tools is not none %}tools{% endif %}{% if documents is none and tools is defined %}none{% endif %}';
  assert.equal(await say(`${tools} {{ messages[0].content }}`), 'none Hi');
  const parts =
    "{% for m in messages %}{{ m.role }}:{% for c in m.content if c.type == 'text' %}{{ c.text }}{% endfor %}{% endfor %}{% if add_generation_prompt %} >{% endif %}";
  assert.equal(await say(parts), 'user:Hi >');
  const dropped = "{% for m in messages %}{% if m.content is not string %}{{ m.content[0]['text'] }}{% endif %}{% endfor %}!";
  assert.equal(await say(dropped), 'Hi!');
  assert.equal(await say('{{ messages[0].content | upper }}'), 'HI');
  await assert.rejects(say("{{ raise_exception('no turns') }}"), /no turns/);
  assert.match(String(await say('{{ strftime_now("%d %b %Y, %A") }}')), /^\d\d [A-Z][a-z]{2} \d{4}, [A-Z][a-z]+day$/);
  const date = new Date(2024, 1, 3, 15, 4, 5);
  assert.equal(
    strftime(date, '%a %A %b %B %d %H %I %j %m %M %p %S %y %Y %% %Q'),
    'Sat Saturday Feb February 03 15 03 034 02 04 PM 05 24 2024 % %Q',
  );
});

const bpe = (model: object, rest: object = {}) => ({
  model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: [['a', 'b']], ...model },
  ...rest,
});
test('SentencePiece: a token that goes from one word into the next is found, though words are cut apart', async () => {
  const merges = [
    ['a', '▁'],
    ['a▁', 'b'],
    ['▁', 'c'],
  ];
  const vocab = { '▁': 0, a: 1, b: 2, c: 3, 'a▁': 4, 'a▁b': 5, '▁c': 6 };
  const normalizer = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };
  const pre_tokenizer = { type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithPrevious', invert: false };
  for (const rest of [{ normalizer }, { normalizer, pre_tokenizer }]) {
    const tokenizer = await hf(bpe({ vocab, merges }, rest));
    const pieces = tokenizer.encode('a b a c b c');
    assert.deepEqual(
      pieces.map(({ id, start, end }) => [id, start, end]),
      [
        [5, 0, 3],
        [0, 3, 4],
        [4, 4, 6],
        [3, 6, 7],
        [0, 7, 8],
        [2, 8, 9],
        [6, 9, 11],
      ],
    );
  }
});

const malformed: Readonly<Record<string, unknown>> = {
  'not JSON': '{"model":',
  'a list': [],
  'no model': {},
  'no vocabulary': { model: { type: 'BPE', merges: [] } },
  'an id that is text': bpe({ vocab: { a: '0' } }),
  'a negative id': bpe({ vocab: { a: -1 } }),
  'an id too big to be one': bpe({ vocab: { a: 1e12 } }),
  'no merges': bpe({ merges: undefined }),
  'a merge of one': bpe({ merges: ['ab'] }),
  'unknown model': { model: { type: 'Quantum', vocab: { a: 0 }, merges: [] }, decoder: { type: 'None' } },
  'unknown pre-tokeniser': bpe({}, { pre_tokenizer: { type: 'UnicodeScripts' } }),
  'a broken regular expression': bpe({}, { pre_tokenizer: { type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated' } }),
  'an added token without an id': bpe({}, { added_tokens: [{ content: 'x' }] }),
  'a post-processor that adds what is not there': bpe(
    {},
    { post_processor: { type: 'BertProcessing', sep: ['[SEP]', 9], cls: ['[CLS]', 8] } },
  ),
  'a template that says nothing': bpe({}, { post_processor: { type: 'TemplateProcessing' } }),
  'a template without the text': bpe({}, { post_processor: { type: 'TemplateProcessing', single: [], pair: [] } }),
  'scores that are text': { model: { type: 'Unigram', vocab: [['a', 'x']], unk_id: 0 } },
};

for (const [what, json] of Object.entries(malformed)) {
  test(`malformed tokenizer.json: ${what}`, () => assert.rejects(hf(json), code('TOKENIZER_INVALID')));
}

test('malformed configuration and GGUF vocabularies', async () => {
  const { tokenizer: metadata } = fixture('sentencepiece_bpe');
  const gguf = (changes: object) => createTokenizer({ kind: 'gguf', metadata: { ...metadata, ...changes } });
  await assert.rejects(
    createTokenizer({ kind: 'hf', tokenizerJson: JSON.stringify(bpe({})), configJson: '[1]', chatTemplate: null }),
    code('TOKENIZER_INVALID'),
  );
  await assert.rejects(gguf({ 'tokenizer.ggml.tokens': 'x' }), code('TOKENIZER_INVALID'));
  await assert.rejects(gguf({ 'tokenizer.ggml.scores': [1] }), code('TOKENIZER_INVALID'));
  await assert.rejects(gguf({ 'tokenizer.ggml.token_type': [1] }), code('TOKENIZER_INVALID'));
  await assert.rejects(gguf({ 'tokenizer.ggml.model': 'bert' }), code('TOKENIZER_UNSUPPORTED'));
  await assert.rejects(
    gguf({ 'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.pre': 'from-the-future' }),
    code('TOKENIZER_UNSUPPORTED'),
  );
});
