import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { NOTHING_ACTIVE } from '../../server/language/context.js';
import { showsTokens, TokenHover } from '../../server/language/tokenHover.js';
import { activeModel } from './activeModel.js';
import { marked } from './marked.js';

const PROMPT = 'Anna has the red kite. Tom has the blue boat.\nQ: Who has the kite?\nA:';
let context: Awaited<ReturnType<typeof activeModel>>;
before(async () => {
  context = await activeModel('tiny-llama', PROMPT);
});
after(() => context.close());

function hoverAt(text: string, language = 'plaintext', active: Parameters<TokenHover['hover']>[2] = context) {
  const { document, offset } = marked(text, language);
  const hover = new TokenHover().hover(document, offset, active);
  return {
    value: (hover?.contents as { value: string } | undefined)?.value ?? null,
    covered: hover?.range ? document.getText(hover.range) : null,
  };
}

test('the token under the cursor: text, id, bytes, range', () => {
  const { value, covered } = hoverAt('Once upon a ti│me, 我 went 😀 home');
  assert.equal(covered, ' time');
  const id = context.tokenizer?.encode(' time')[0]?.id;
  assert.ok(value?.startsWith(`**Token** \`·time\` · id ${id} · tiny-llama`), value ?? '');
  assert.ok(value?.includes('bytes 20 74 69 6d 65'));
  assert.ok(!value?.includes('probability'));
});

test('a character that is several tokens is marked whole', () => {
  const { covered, value } = hoverAt('a 😀│ b'.replace('😀│', '│😀'));
  assert.ok(covered?.includes('😀'), covered ?? 'nothing');
  assert.ok(value?.includes('�'));
});

test('where the active run’s prompt is, its probabilities are', () => {
  const infos = context.run?.tokenInfos ?? [];
  for (const text of [PROMPT.replace(' kite?', ' k│ite?'), `# notes\n\n${PROMPT.replace(' kite?', ' k│ite?')} and more`]) {
    const { value, covered } = hoverAt(text, 'markdown');
    const info = infos.find((each) => each.start !== null && PROMPT.slice(each.start).startsWith(' kite?'));
    assert.ok(info?.probability);
    assert.equal(covered, PROMPT.slice(info.start ?? 0, info.end ?? 0));
    assert.ok(
      value?.includes(
        `token ${info.index} of the active run: probability ${(info.probability * 100).toPrecision(3)} %, rank ${(info.rank ?? 0) + 1}`,
      ),
      value ?? '',
    );
    const [best] = info.alternatives;
    assert.ok(value?.includes('| rank | token | id | probability |'));
    assert.ok(value?.includes(`| 1 | \`${best?.text.replaceAll(' ', '·')}\` | ${best?.id} |`), value ?? '');
  }
});

test('a part of the prompt in a document of its own is found, too', () => {
  const { value, covered } = hoverAt('Tom has the bl│ue boat.');
  assert.equal(covered, ' blue');
  assert.match(value ?? '', /of the active run: probability/);
});

test('the first token has nothing that predicts it', () => {
  assert.match(hoverAt(`│${PROMPT}`).value ?? '', /nothing predicts the first token/);
});

test('a chat’s offsets belong to the rendered text: no probabilities', () => {
  const run = context.run && { ...context.run, recipe: { ...context.run.recipe, chat: true } };
  const { value } = hoverAt(PROMPT.replace(' kite?', ' k│ite?'), 'plaintext', { ...context, run });
  assert.ok(value !== null && !value.includes('probability'));
});

test('no hover: in code, without a model, at the end of the text, in an empty text', () => {
  assert.equal(hoverAt('x = so│me', 'python').value, null);
  assert.equal(hoverAt('so│me', 'plaintext', NOTHING_ACTIVE).value, null);
  assert.equal(hoverAt('some│').value, null);
  assert.equal(hoverAt('│').value, null);
  assert.ok(showsTokens(TextDocument.create('file:///a.prompt.md', 'prompt', 1, '')));
});

test('a long text is tokenised once, in windows, with the same tokens as whole', () => {
  const tokenizer = context.tokenizer;
  assert.ok(tokenizer);
  let encoded = 0;
  const counting = Object.assign(Object.create(tokenizer) as typeof tokenizer, {
    encode: (text: string, options: object) => {
      encoded += text.length;
      return tokenizer.encode(text, options);
    },
    text: (id: number) => tokenizer.text(id),
    bytes: (id: number) => tokenizer.bytes(id),
  });
  const text = 'Once upon a time, Lily had a red kite. 她说了很多。\n'.repeat(10_000);
  const whole = tokenizer.encode(text);
  const document = TextDocument.create('file:///work/long.txt', 'plaintext', 1, text);
  const hover = new TokenHover();
  const active = { ...context, run: null, tokenizer: counting };
  for (const offset of [0, 9_999, 10_000, 20_001, 123_456, text.length - 3]) {
    const piece = whole.find(({ start, end }) => start <= offset && offset < end);
    const shown = hover.hover(document, offset, active)?.range;
    assert.deepEqual(
      shown && [document.offsetAt(shown.start), document.offsetAt(shown.end)],
      [piece?.start, piece?.end],
      `at ${offset}`,
    );
  }
  const before = encoded;
  hover.hover(document, 123_460, active);
  assert.equal(encoded, before, 'the window is kept');
  assert.ok(encoded <= 6 * 30_000);
  hover.hover(TextDocument.create(document.uri, 'plaintext', 2, text.replaceAll('red', 'blue')), 123_460, active);
  assert.ok(encoded > before, 'another text is tokenised anew');
});

test('a file that was changed while it was closed opens with its first version again, and shows its new tokens', () => {
  const hover = new TokenHover();
  const shown = (text: string) => {
    const document = TextDocument.create('file:///work/notes.txt', 'plaintext', 1, text);
    return document.getText(hover.hover(document, 6, { ...context, run: null })?.range);
  };
  assert.equal(shown('Once upon a time'), ' upon');
  assert.equal(shown('Lily had a kite'), ' had');
});
