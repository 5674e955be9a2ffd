import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Hover } from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { openCheckpoint } from '../formats/registry.js';
import { bindCheckpoint, parameterCount } from '../runtime/model.js';
import { isCode } from './codePlaces.js';
import { codeSpan, plain } from './markdown.js';
import { pretrainedCalls } from './pretrainedCalls.js';

const LIMIT = 32;

/** What the string in `from_pretrained("…")` names: a model on this machine by its headers, or that it is not here. */
export class PretrainedHover {
  /** By path and time of the last change, oldest first. */
  readonly #known = new Map<string, Promise<readonly string[]>>();

  /** Null where no model is named. `resolve`: name in the call → path, null when it is not on this machine. */
  async hover(document: TextDocument, offset: number, resolve: (name: string) => Promise<string | null>): Promise<Hover | null> {
    if (!isCode(document.languageId)) return null;
    const call = pretrainedCalls(document.getText(), document.languageId).find(
      ({ start, end }) => start <= offset && offset <= end,
    );
    if (!call) return null;
    const place = await resolve(call.model);
    const lines = place === null ? [`${codeSpan(call.model)} is not on this machine.`] : await this.#describe(place);
    return {
      contents: { kind: 'markdown', value: lines.join('\n') },
      range: { start: document.positionAt(call.start), end: document.positionAt(call.end) },
    };
  }

  async #describe(place: string): Promise<readonly string[]> {
    const key = `${place}:${await lastChange(place)}`;
    const known = this.#known.get(key) ?? headerLines(place);
    this.#known.set(key, known);
    for (const oldest of this.#known.keys()) if (this.#known.size > LIMIT) this.#known.delete(oldest);
    return known;
  }
}

/** Of a file; of a folder or the config in it, since a folder stays as old as it is when a file in it is edited. */
async function lastChange(place: string): Promise<number> {
  const times = [place, path.join(place, 'config.json')].map(async (file) => (await stat(file).catch(() => null))?.mtimeMs ?? 0);
  return Math.max(...(await Promise.all(times)));
}

/** From headers alone; a model that cannot be read or run says why. */
async function headerLines(place: string): Promise<readonly string[]> {
  const why = (error: unknown) => plain((error as Error).message);
  try {
    const checkpoint = await openCheckpoint(place);
    const architecture = await bindCheckpoint(checkpoint).then(
      (bound) => bound.architecture.id,
      (error) => `cannot run: ${why(error)}`,
    );
    const parameters = parameterCount(checkpoint).toLocaleString('en-US');
    return [
      `**${plain(checkpoint.name)}** · ${architecture} · ${parameters} parameters`,
      '',
      `${codeSpan(place)} (${checkpoint.format})`,
    ];
  } catch (error) {
    return [codeSpan(place), '', why(error)];
  }
}
