import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CodeLens, Range } from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { isCode } from './codePlaces.js';
import { ConfigDocument } from './config/document.js';
import { pretrainedCalls } from './pretrainedCalls.js';

/** Both commands take the path of a model folder or file. */
export const INSPECT_COMMAND = 'modelLab.inspectPath';
export const RUN_COMMAND = 'modelLab.runPath';

const lenses = (range: Range, place: string): readonly CodeLens[] => [
  { range, command: { title: 'Inspect', command: INSPECT_COMMAND, arguments: [place] } },
  { range, command: { title: 'Run in Model Lab', command: RUN_COMMAND, arguments: [place] } },
];

/**
 * Inspect and Run, above calls of `from_pretrained` whose model is on this machine and at the top of a model’s config.json.
 * A model that is not here has no lens: there is nothing to inspect.
 * @param resolve name in the call → path of the model, null when it is not on this machine
 */
export async function codeLenses(document: TextDocument, resolve: (name: string) => Promise<string | null>): Promise<CodeLens[]> {
  const text = document.getText();
  if (isCode(document.languageId)) {
    const calls = await Promise.all(
      pretrainedCalls(text, document.languageId).map(async (call) => ({ call, place: await resolve(call.model) })),
    );
    return calls.flatMap(({ call, place }) => {
      const start = document.positionAt(call.offset);
      return place === null ? [] : lenses({ start, end: start }, place);
    });
  }
  if (!document.uri.startsWith('file:') || !document.uri.endsWith('/config.json') || !ConfigDocument.parse(text)) return [];
  const top = { line: 0, character: 0 };
  return [...lenses({ start: top, end: top }, path.dirname(fileURLToPath(document.uri)))];
}
