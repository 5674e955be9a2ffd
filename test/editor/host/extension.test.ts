import assert from 'node:assert/strict';
import * as vscode from 'vscode';

suite('Extension', () => {
  const extension = () => {
    const found = vscode.extensions.getExtension('model-lab.model-lab');
    assert.ok(found, 'the extension is loaded');
    return found;
  };

  test('activates', async () => {
    const [before, started] = [extension().isActive, performance.now()];
    await extension().activate();
    // the editor may have activated it before any test ran
    if (!before) console.log(`activation ${(performance.now() - started).toFixed(1)} ms`);
    assert.equal(extension().isActive, true);
  });

  test('registers every command that it contributes', async () => {
    await extension().activate();
    const registered = new Set(await vscode.commands.getCommands(true));
    const contributed: { command: string }[] = extension().packageJSON.contributes.commands;
    const missing = contributed.map(({ command }) => command).filter((command) => !registered.has(command));
    assert.deepEqual(missing, []);
  });

  test('contributes its commands under one name', () => {
    const contributed: { category?: string; title: string }[] = extension().packageJSON.contributes.commands;
    assert.deepEqual(
      contributed.filter(({ category }) => category !== 'Model Lab').map(({ title }) => title),
      [],
    );
  });
});
