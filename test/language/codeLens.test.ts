import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { codeLenses } from '../../server/language/codeLens.js';
import { folderOf, resolveModel } from '../../server/language/modelPath.js';

const root = mkdtempSync(path.join(tmpdir(), 'lenses-'));
after(() => rmSync(root, { recursive: true }));
const snapshot = path.join(root, 'hub/models--org--tiny/snapshots/abc');
for (const folder of ['models/a', 'src/models/b', 'empty']) mkdirSync(path.join(root, folder), { recursive: true });
for (const folder of ['models/a', 'src/models/b']) writeFileSync(path.join(root, folder, 'config.json'), '{}');
writeFileSync(path.join(root, 'models/x.gguf'), 'GGUF');
mkdirSync(snapshot, { recursive: true });
mkdirSync(path.join(root, 'hub/models--org--tiny/refs'), { recursive: true });
writeFileSync(path.join(root, 'hub/models--org--tiny/refs/main'), 'abc\n');
writeFileSync(path.join(snapshot, 'config.json'), '{}');

const places = { document: path.join(root, 'src'), workspace: [root], hub: path.join(root, 'hub') };
const resolve = (name: string) => resolveModel(name, places);
const inCode = (text: string, language = 'python') =>
  TextDocument.create(pathToFileURL(path.join(root, 'src/a.py')).href, language, 1, text);

test('paths: beside the document, in the workspace, absolute, in the hub’s cache, or nowhere', async () => {
  assert.equal(await resolve('models/b'), path.join(root, 'src/models/b'));
  assert.equal(await resolve('./models/a'), path.join(root, 'models/a'));
  assert.equal(await resolve('../models/x.gguf'), path.join(root, 'models/x.gguf'));
  assert.equal(await resolve(path.join(root, 'models/a')), path.join(root, 'models/a'));
  assert.equal(await resolve('org/tiny'), snapshot);
  assert.equal(await resolve('../models'), path.join(root, 'models'), 'a folder with one .gguf');
  for (const nowhere of ['org/other', 'empty', 'src', '../../../etc/passwd', 'no such', ''])
    assert.equal(await resolve(nowhere), null, nowhere);
  assert.equal(folderOf('file:///work/a%20b/c.py'), path.resolve('/work/a b'));
  assert.equal(folderOf('vscode-notebook-cell:/work/n.ipynb#X1'), path.resolve('/work'));
  assert.equal(folderOf('untitled:Untitled-1'), null);
});

test('two lenses above each call whose model is here', async () => {
  const text = [
    'tok = AutoTokenizer.from_pretrained("models/b")',
    'm = AutoModel.from_pretrained(',
    "    pretrained_model_name_or_path='org/tiny', dtype='auto')",
    'n = AutoModel.from_pretrained("org/not-downloaded")',
    '# o = AutoModel.from_pretrained("models/b")',
    's = "from_pretrained(\'models/b\')"',
    'p = AutoModel.from_pretrained(path)',
    'q = AutoModel.from_pretrained(f"models/{name}")',
    "r = AutoModel.from_pretrained(r'''models/b''')",
  ].join('\n');
  const lenses = await codeLenses(inCode(text), resolve);
  const b = path.join(root, 'src/models/b');
  assert.deepEqual(
    lenses.map(({ range, command }) => [
      range.start.line,
      range.start.character,
      command?.title,
      command?.command,
      command?.arguments,
    ]),
    [
      [0, 20, 'Inspect', 'modelLab.inspectPath', [b]],
      [0, 20, 'Run in Model Lab', 'modelLab.runPath', [b]],
      [1, 14, 'Inspect', 'modelLab.inspectPath', [snapshot]],
      [1, 14, 'Run in Model Lab', 'modelLab.runPath', [snapshot]],
      [8, 14, 'Inspect', 'modelLab.inspectPath', [b]],
      [8, 14, 'Run in Model Lab', 'modelLab.runPath', [b]],
    ],
  );
});

test('TypeScript, too; other languages not', async () => {
  const text = 'const m = await AutoModel.from_pretrained(`models/b`); // from_pretrained("models/b")';
  assert.equal((await codeLenses(inCode(text, 'typescript'), resolve)).length, 2);
  assert.equal((await codeLenses(inCode(text, 'plaintext'), resolve)).length, 0);
});

test('the config.json of a model has them at its top, another one has none', async () => {
  const config = (text: string, name = 'config.json') => {
    const uri = pathToFileURL(path.join(root, 'models/a', name)).href;
    return codeLenses(TextDocument.create(uri, 'json', 1, text), resolve);
  };
  const lenses = await config('{\n  "model_type": "llama"\n}');
  assert.deepEqual(
    lenses.map(({ range, command }) => [range.start.line, command?.arguments?.[0]]),
    [
      [0, path.join(root, 'models/a')],
      [0, path.join(root, 'models/a')],
    ],
  );
  assert.deepEqual(await config('{"port": 80}'), []);
  assert.deepEqual(await config('{"model_type": "llama"}', 'other.json'), []);
  assert.deepEqual(await config('not json'), []);
});
