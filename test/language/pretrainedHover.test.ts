import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { resolveModel } from '../../server/language/modelPath.js';
import { PretrainedHover } from '../../server/language/pretrainedHover.js';
import { marked } from './marked.js';

const places = {
  document: null,
  workspace: [path.resolve('media')],
  hub: path.resolve('media/no-hub'),
};
const hover = async (text: string, language = 'python') => {
  const { document, offset } = marked(text, language);
  const found = await new PretrainedHover().hover(document, offset, (name) => resolveModel(name, places));
  return found && { text: (found.contents as { value: string }).value, named: found.range && document.getText(found.range) };
};

test('a model on this machine says its family, parameters and path', async () => {
  const found = await hover('m = AutoModel.from_pretrained("models/tiny-│llama")');
  assert.equal(found?.named, 'models/tiny-llama');
  assert.match(found.text, /\*\*tiny-llama\*\* · llama · 2,558,016 parameters/);
  assert.ok(found.text.includes(`\`${path.resolve('media/models/tiny-llama')}\` (safetensors)`), found.text);
});

test('one without weights says why it cannot be read', async () => {
  const found = await hover("m = AutoModel.from_pretrained('sample/broken│-llama')");
  assert.match(found?.text ?? '', /no weights/);
});

test('a config that was mended is read again', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'model-lab-'));
  await cp(path.resolve('media/models/tiny-llama'), folder, { recursive: true });
  const file = path.join(folder, 'config.json');
  const config = JSON.parse(await readFile(file, 'utf8'));
  const hovers = new PretrainedHover();
  const shown = async (head: object) => {
    await writeFile(file, JSON.stringify({ ...config, ...head }));
    const { document, offset } = marked(`m = AutoModel.from_pretrained("│${folder}")`, 'python');
    const hover = await hovers.hover(document, offset, (name) => resolveModel(name, places));
    return (hover?.contents as { value: string } | undefined)?.value ?? '';
  };
  assert.match(await shown({ num_attention_heads: 7 }), /cannot run/);
  await utimes(file, 0, 0);
  assert.doesNotMatch(await shown({}), /cannot run/);
  await rm(folder, { recursive: true });
});

test('one that is elsewhere is not on this machine', async () => {
  const found = await hover('const m = await AutoModel.from_pretrained("org│/model");', 'typescript');
  assert.deepEqual(found, { text: '`org/model` is not on this machine.', named: 'org/model' });
});

test('other strings, and other languages, have none', async () => {
  assert.equal(await hover('m = open("models/tiny-│llama")'), null);
  assert.equal(await hover('m = AutoModel.from_│pretrained("models/tiny-llama")'), null);
  assert.equal(await hover('from_pretrained("models/tiny-│llama")', 'plaintext'), null);
});
