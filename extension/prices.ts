import * as vscode from 'vscode';
import type { Prices } from '../server/protocol/host.js';

const KEY = 'tokenizer.prices';

/** Prices of a million tokens that the person has set; none is ours. */
export function prices(): Prices {
  const set: unknown = vscode.workspace.getConfiguration('modelLab').get(KEY);
  const entries = typeof set === 'object' && set !== null ? Object.entries(set) : [];
  return Object.fromEntries(entries.filter(([, price]) => Number.isFinite(price) && price >= 0));
}

export async function setPrice(vocabulary: string, price: number | null): Promise<void> {
  const { [vocabulary]: _, ...others } = prices();
  const next = price === null ? others : { ...others, [vocabulary]: price };
  await vscode.workspace.getConfiguration('modelLab').update(KEY, next, vscode.ConfigurationTarget.Global);
}

export const onPricesChanged = (told: () => void): vscode.Disposable =>
  vscode.workspace.onDidChangeConfiguration((change) => change.affectsConfiguration(`modelLab.${KEY}`) && told());
