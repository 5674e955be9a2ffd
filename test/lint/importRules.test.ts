import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

const root = path.resolve(import.meta.dirname, '../..');
const biome = path.join(root, 'node_modules/@biomejs/biome/bin/biome');

interface Rule {
  /** A file that need not exist: rules go by path. */
  readonly file: string;
  readonly allowed: readonly string[];
  readonly forbidden: readonly string[];
}

/** DESIGN's import direction, a folder at a time. */
const RULES: readonly Rule[] = [
  { file: 'server/protocol/x.ts', allowed: ['./errors.js'], forbidden: ['../tensor/tensor.js', 'zod', 'node:fs'] },
  { file: 'server/tensor/x.ts', allowed: ['./tensor.js', '../protocol/errors.js'], forbidden: ['../formats/read.js', 'node:fs'] },
  {
    file: 'server/formats/x.ts',
    allowed: ['../tensor/tensor.js', '../protocol/errors.js', 'node:path', 'node:fs/promises'],
    forbidden: ['../graph/ir.js', '../runtime/run.js', 'onnxruntime-node', 'vscode'],
  },
  {
    file: 'server/image/x.ts',
    allowed: ['../tensor/tensor.js', '../protocol/errors.js', '@jsquash/jpeg/decode.js', 'node:fs/promises'],
    forbidden: ['../formats/read.js', '../graph/ir.js', 'onnxruntime-node', 'vscode'],
  },
  {
    file: 'server/tokenizer/x.ts',
    allowed: ['../formats/checkpoint.js', '@huggingface/tokenizers', '@huggingface/jinja'],
    forbidden: ['../graph/ir.js', '../runtime/run.js', 'onnxruntime-node'],
  },
  {
    file: 'server/graph/blocks/x.ts',
    allowed: ['./norm.js', '../ir.js', '../../tensor/tensor.js', '../../protocol/errors.js', '@bufbuild/protobuf'],
    forbidden: ['../../formats/read.js', '../../runtime/run.js', '../../architectures/llama.js', 'onnxruntime-node', 'node:fs'],
  },
  {
    file: 'server/architectures/x.ts',
    allowed: ['./llama.js', '../graph/blocks/norm.js', '../tensor/tensor.js', '../protocol/errors.js'],
    forbidden: ['../runtime/run.js', '../formats/read.js', '../analyses/probe.js', 'onnxruntime-node', 'node:fs'],
  },
  {
    file: 'server/runtime/x.ts',
    allowed: ['../architectures/registry.js', '../graph/ir.js', '../formats/read.js', 'node:worker_threads'],
    forbidden: ['onnxruntime-node', '../tokenizer/tokenizer.js', '../analyses/probe.js', 'vscode-languageserver/node'],
  },
  {
    file: 'server/runtime/sessions.ts',
    allowed: ['onnxruntime-node', '../graph/ir.js'],
    forbidden: ['../tokenizer/tokenizer.js', 'vscode'],
  },
  {
    file: 'server/analyses/x.ts',
    allowed: ['../runtime/view.js', '../graph/ir.js', '../formats/read.js', '../protocol/inspect.js'],
    forbidden: ['../architectures/llama.js', '../language/hover.js', 'onnxruntime-node'],
  },
  {
    file: 'server/language/x.ts',
    allowed: ['../runtime/view.js', '../tokenizer/tokenizer.js', 'vscode-languageserver', 'jsonc-parser'],
    forbidden: ['../analyses/probe.js', 'vscode', 'onnxruntime-node'],
  },
  {
    file: 'server/main.ts',
    allowed: ['./runtime/model.js', 'zod'],
    forbidden: ['vscode', 'onnxruntime-node', '../extension/lab.js', '../webviews/host.js'],
  },
  {
    file: 'extension/commands/x.ts',
    allowed: ['vscode', '../lab.js', '../../server/protocol/errors.js', 'vscode-languageclient/node'],
    forbidden: ['../../server/runtime/model.js', '../../server/open.js', '../../webviews/host.js', 'onnxruntime-node', 'preact'],
  },
  {
    file: 'webviews/views/x.tsx',
    allowed: ['../host.js', '../controls/controls.js', '../../server/protocol/runs.js', 'preact', '@preact/signals'],
    forbidden: ['../../server/runtime/run.js', '../../extension/lab.js', '@vscode/webview-ui-toolkit', 'vscode', 'node:fs'],
  },
  {
    file: 'webviews/controls/x.tsx',
    allowed: ['@vscode/webview-ui-toolkit', 'preact'],
    forbidden: ['vscode', '../../server/runtime/run.js'],
  },
];

let folder: string;

before(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'model-lab-lint-'));
  const { vcs: _, ...config } = JSON.parse(readFileSync(path.join(root, 'biome.json'), 'utf8'));
  writeFileSync(path.join(folder, 'biome.json'), JSON.stringify(config));
});
after(() => rmSync(folder, { recursive: true, force: true }));

for (const { file, allowed, forbidden } of RULES) {
  test(`${file} may import only what the design lets it`, async () => {
    assert.deepEqual(await restricted(file, [...allowed, ...forbidden]), forbidden);
  });
}

test('no two files import each other, save a type', async () => {
  write(
    'server/graph/a.ts',
    "import { b } from './b.js';\nimport type { C } from './c.js';\nexport const a = (c: C) => b + c;\n",
  );
  write('server/graph/b.ts', "import { a } from './a.js';\nexport const b = () => a;\n");
  write('server/graph/c.ts', "import { a } from './a.js';\nexport type C = number;\nexport const c = a(1);\n");
  assert.deepEqual(await refused('suspicious/noImportCycles', 'server/graph/a.ts'), [1]);
});

function write(file: string, text: string): void {
  mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
  writeFileSync(path.join(folder, file), text);
}

/** The specifiers among `imports` that the linter refuses in `file`. */
async function restricted(file: string, imports: readonly string[]): Promise<string[]> {
  write(file, imports.map((specifier, i) => `import { a${i} } from '${specifier}';\n`).join(''));
  return (await refused('style/noRestrictedImports', file)).map((line) => imports[line - 1] as string);
}

/** The lines of `file` that a rule refuses. */
async function refused(rule: string, file: string): Promise<number[]> {
  const args = [biome, 'lint', `--only=${rule}`, '--reporter=json', file];
  // Biome exits with 1 when it refuses something.
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder }).catch(
    (error: { stdout: string }) => error,
  );
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { location: { start: { line: number } } }[] };
  return diagnostics.map(({ location }) => location.start.line);
}
