import assert from 'node:assert/strict';
import path from 'node:path';
import * as vscode from 'vscode';
import type { ModelLabApi } from '../../../extension/extension.js';

export const extension = () => {
  const found = vscode.extensions.getExtension<ModelLabApi>('model-lab.model-lab');
  assert.ok(found, 'the extension is loaded');
  return found;
};
export const lab = () => extension().activate();
export const embedded = (...names: string[]) => path.join(extension().extensionPath, 'media/models', ...names);
export const tabs = () => vscode.window.tabGroups.all.flatMap((group) => group.tabs);

/** Asks again and again until `found` says yes. */
export async function eventually<T>(found: () => T | Promise<T>, what: string): Promise<NonNullable<T>> {
  for (let tries = 0; tries < 200; tries++) {
    const value = await found();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`it never came true that ${what}`);
}
