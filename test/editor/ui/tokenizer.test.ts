/**
 * The tokenizer lab: what it shows of a text in a real editor is what the tokenizers say, which test/tokenizer holds against their
 * references; a selection in the editor is one in the lab, and the other way round; a megabyte stays responsive.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import type { Frame } from 'playwright-core';
import type { MergeNode } from '../../../server/protocol/tokens.js';
import { namedTokenizer } from '../../../server/tokenizer/named.js';
import { root } from '../codeServer.js';
import { looks, settled, tableCells, uiTest, type Workbench } from '../ui.js';

const TEXT = `Once upon a time, there was a tokenizer that cut text into pieces.
我和我的祖国，一刻也不能分割。
Привет, мир! 👩‍💻 codes e\u0301 ½ 3.14159
    if x: return "<|endoftext|>"
`;
const folder = mkdtempSync(path.join(os.tmpdir(), 'model-lab-tokens-'));
const write = () => writeFileSync(path.join(folder, 'mixed.txt'), TEXT);
write();
const story = readFileSync(path.join(root, 'README.md'), 'utf8');
const BIG = story.repeat(Math.ceil(1e6 / story.length)).slice(0, 1_000_000);
writeFileSync(path.join(folder, 'big.txt'), BIG);
after(() => rmSync(folder, { recursive: true, force: true }));

async function openLab(lab: Workbench): Promise<Frame> {
  await lab.command('Model Lab: Open Tokenizer Lab');
  const view = await lab.webview('tokenizer');
  await view.locator('.token-text .token').first().waitFor();
  return view;
}

/** Of the comparison: the number of tokens by row. */
const counts = async (view: Frame): Promise<(number | null)[]> =>
  (await view.locator('.comparison .count').allInnerTexts()).map((text) =>
    text === '…' ? null : Number(text.replaceAll(',', '')),
  );

async function until(what: string, done: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await done()); ) {
    assert.ok(Date.now() < deadline, what);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function choose(view: Frame, row: number, name: string): Promise<void> {
  await view.locator('.comparison vscode-dropdown').nth(row).click();
  await view.locator('.comparison vscode-dropdown').nth(row).locator('vscode-option', { hasText: name }).first().click();
}

const idsOf = async (name: string, text: string) => (await namedTokenizer(name)).encode(text, { special: false });

uiTest(
  'a mixed text in two vocabularies: counts, ids, merges, selection both ways',
  { folder, open: 'mixed.txt', width: 1700, height: 1000 },
  async (lab) => {
    const view = await openLab(lab);
    await view.getByRole('button', { name: 'Compare with another vocabulary' }).click();
    await choose(view, 1, 'llama2');
    const expected = await Promise.all(['o200k_base', 'llama2'].map((name) => idsOf(name, TEXT)));
    await until('both are counted', async () => (await counts(view)).join() === expected.map(({ length }) => length).join());
    await settled(view);
    for (const [i, pieces] of expected.entries()) {
      const shown = await view
        .locator('.token-text')
        .nth(i)
        .locator('.token')
        .evaluateAll((boxes) => boxes.map((box) => Number((box as HTMLElement).dataset.id)));
      assert.deepEqual(
        shown,
        pieces.map(({ id }) => id),
      );
    }
    const rows = await tableCells(view.locator('.comparison'));
    assert.ok(rows[1]?.includes(' exact') && rows[2]?.includes(' exact'), rows.join('\n'));
    const scripts = await tableCells(view.locator('.scripts'));
    assert.deepEqual(scripts.find(([script]) => script === 'Han')?.slice(0, 2), ['Han', '13']);

    // A token that is clicked is selected in the editor, and in the other vocabulary.
    await view.locator('.token-text').first().locator('.token', { hasText: 'tokenizer' }).click();
    await lab.command('View: Focus First Editor Group');
    await lab.page.locator('.statusbar-item', { hasText: /Ln 1, Col 40 \(10 selected\)/ }).waitFor();
    await view.locator('.details h2', { hasText: '·tokenizer in o200k_base' }).waitFor();
    await until(
      'it is selected in the other vocabulary',
      async () => (await view.locator('.token-text').nth(1).locator('.token.selected').allInnerTexts()).join('') === '·tokenizer',
    );
    const id = expected[0]?.find(({ text }) => text === ' tokenizer')?.id ?? -1;
    const origin = (await namedTokenizer('o200k_base')).origin(id);
    assert.ok(origin.how === 'merges');
    const made: [number | null, string][] = [];
    const walk = (node: MergeNode) => {
      for (const part of node.parts) walk(part);
      if (node.step !== null) made[node.step - 1] = [node.rank, node.text.replaceAll(' ', '·')];
    };
    walk(origin.tree);
    await settled(view);
    const merges = (await tableCells(view.locator('.merges'))).slice(1);
    assert.deepEqual(
      merges.map((row) => [Number(row[4]?.replaceAll(',', '')), row[3]]),
      made,
    );
    await lab.screenshot('tokenizer');

    // What is selected in the editor is selected here.
    await lab.page.locator('.editor-instance .view-lines').click({ position: { x: 10, y: 10 } });
    await lab.page.keyboard.press('Control+Home');
    for (let i = 0; i < 4; i++) await lab.page.keyboard.press('Shift+ArrowRight');
    await until(
      'the first word is selected',
      async () => (await view.locator('.token-text').first().locator('.token.selected').allInnerTexts()).join() === 'Once',
    );
    // Typing is followed.
    await lab.page.keyboard.press('Control+End');
    await lab.page.keyboard.type('новый');
    const typed = (await idsOf('o200k_base', `${TEXT}новый`)).length;
    await until('typed text is counted', async () => (await counts(view))[0] === typed);
    // Nothing is called a price until there is one.
    assert.deepEqual(
      await view.locator('.price').evaluateAll((fields) => fields.map((field) => (field as HTMLInputElement).value)),
      ['', ''],
    );
    await view.locator('.price').first().fill('2.5');
    await view.locator('.price').first().press('Enter');
    await view.locator('.comparison tr', { hasText: String(Number(((typed / 1e6) * 2.5).toPrecision(2))) }).waitFor();
  },
);

uiTest(
  'where text is lost, and bytes that stand for it',
  { folder, open: 'mixed.txt', theme: 'light', width: 1500, height: 900 },
  async (lab) => {
    await lab.page.locator('.editor-instance .view-lines').click({ position: { x: 10, y: 10 } });
    await lab.page.keyboard.press('Control+Home');
    await lab.page.keyboard.insertText('▁ mark 😀\n');
    const view = await openLab(lab);
    await choose(view, 0, 'llama2');
    await view.locator('.lost', { hasText: 'at 0' }).waitFor();
    await view.locator('.token-text .token.role-byte .character', { hasText: '😀' }).first().waitFor();
    await view.locator('.token-text').press('ArrowRight');
    await lab.screenshot('tokenizer light');
  },
);

uiTest('the lab in other themes, wide and narrow', { folder, open: 'mixed.txt', height: 900 }, async (lab) => {
  const view = await openLab(lab);
  await view.locator('.token-text .token', { hasText: 'pieces' }).click();
  await view.locator('.details h2', { hasText: 'pieces' }).waitFor();
  await looks(lab, view, 'tokenizer', [
    ['hc', 1300],
    ['dark', 760],
  ]);
});

uiTest('a megabyte: counted, and typed into', { folder, open: 'big.txt', width: 1500, height: 900 }, async (lab) => {
  const view = await openLab(lab);
  await until('all of it is counted', async () => (await counts(view))[0] === (await idsOf('o200k_base', BIG)).length);
  await lab.page.locator('.editor-instance .view-lines').click({ position: { x: 200, y: 60 } });
  const times: number[] = [];
  for (let i = 0; i < 25; i++) {
    const before = await view.locator('.token-columns').getAttribute('data-version');
    const started = performance.now();
    await lab.page.keyboard.type('x');
    await view.locator(`.token-columns:not([data-version="${before}"])`).waitFor();
    times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  console.log(`# tokens of 1 MB after a key: median ${times[12]?.toFixed(0)} ms, p95 ${times[23]?.toFixed(0)} ms`);
  await until('the total follows', async () => {
    const version = await view.locator('.token-columns').getAttribute('data-version');
    return (await view.locator('.comparison').getAttribute('data-version')) === version;
  });
  await lab.screenshot('tokenizer 1 MB');
});

uiTest('token boundaries in the editor itself', { folder, open: 'mixed.txt', width: 1200, height: 700 }, async (lab) => {
  await lab.command('Model Lab: Toggle Token Boundaries');
  await lab.pick('llama3');
  const [first] = await idsOf('llama3', TEXT);
  await lab.page.locator('.view-overlays .cdr').nth(8).waitFor();
  const hover = await lab.hover('Once');
  assert.match(hover, new RegExp(`token \\d+: id ${first?.id}`));
  await lab.screenshot('token boundaries');
  await lab.command('Model Lab: Toggle Token Boundaries');
});
