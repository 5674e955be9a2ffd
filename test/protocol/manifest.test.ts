import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { formats } from '../../server/formats/registry.js';
import { inspectors } from '../../server/protocol/host.js';
import { modelExtensions, runDtypes } from '../../server/protocol/models.js';
import { providerNames } from '../../server/runtime/providers.js';

const root = path.resolve(import.meta.dirname, '../..');
const { activationEvents, contributes } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const sorted = (names: Iterable<string>) => [...names].sort();

test('each inspector has a page, a command, and wakes the extension when its panel comes back', () => {
  const commands = contributes.commands.map(({ command }: { command: string }) => command);
  for (const id of inspectors) {
    assert.ok(existsSync(path.join(root, `webviews/views/${id}.tsx`)), id);
    assert.ok(commands.includes(`modelLab.show${id[0]?.toUpperCase()}${id.slice(1)}`), id);
    assert.ok(activationEvents.includes(`onWebviewPanel:modelLab.${id}`), id);
  }
});

test('files that the editor offers as models are those that a format opens', () => {
  const models = formats.filter(({ arrays }) => !arrays).flatMap(({ extensions }) => extensions);
  assert.deepEqual(sorted(modelExtensions.map((extension) => `.${extension}`)), sorted(models));
  const all = new Set(formats.flatMap(({ extensions }) => extensions));
  const opened = contributes.customEditors[0].selector.map(({ filenamePattern }: { filenamePattern: string }) => filenamePattern);
  for (const pattern of opened) assert.ok(all.has(pattern.slice(1)), pattern);
  for (const { id, extensions } of formats)
    assert.ok(
      extensions.some((extension) => opened.includes(`*${extension}`)),
      `the checkpoint editor opens ${id}`,
    );
  const [{ when }] = contributes.menus['explorer/context'];
  const [, endings = ''] = /resourceExtname =~ \/\^\\\.\((.+?)\)\$\/i/.exec(when) ?? [];
  assert.deepEqual(sorted(endings.split('|')), sorted([...modelExtensions, 'bin']));
});

test('settings offer the providers and dtypes that there are', () => {
  const { properties } = [contributes.configuration].flat()[0];
  assert.deepEqual(sorted(properties['modelLab.provider'].enum), sorted(providerNames));
  assert.deepEqual(sorted(properties['modelLab.dtype'].enum), sorted(runDtypes));
});
