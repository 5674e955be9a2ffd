import type { Hover } from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import type { Concept, Paper } from './concept.js';
import type { ActiveContext } from './context.js';
import { liveValue } from './liveValue.js';
import { nameAt } from './nameAt.js';

/** A tokenizer.json of 30 MB is no text to hover over, and would be parsed each time. */
const MAX_LENGTH = 2_000_000;

const paperText = ({ title, arxiv }: Paper): string =>
  arxiv === null ? title : `[${title} (arXiv ${arxiv})](https://arxiv.org/abs/${arxiv})`;

export function conceptText(concept: Concept): readonly string[] {
  return [
    `**${concept.title}**`,
    '',
    concept.what,
    ...(concept.formula === undefined ? [] : ['', '```text', concept.formula, '```']),
    ...(concept.paper === undefined ? [] : ['', paperText(concept.paper)]),
  ];
}

/** What a name in code or JSON is, and its value in the active model; null where nothing is named. */
export async function conceptHover(document: TextDocument, offset: number, context: ActiveContext): Promise<Hover | null> {
  const text = document.getText();
  if (text.length > MAX_LENGTH) return null;
  const fileName = document.uri.split('/').at(-1) ?? '';
  const named = nameAt(text, offset, document.languageId, fileName);
  if (!named) return null;
  const live = await liveValue(named, context);
  const lines = [...conceptText(named.concept), ...(live.length === 0 ? [] : ['', '---', '', ...live])];
  return {
    contents: { kind: 'markdown', value: lines.join('\n') },
    range: { start: document.positionAt(named.start), end: document.positionAt(named.end) },
  };
}
