import { TextDocument } from 'vscode-languageserver-textdocument';

/** A document and the place of its `│`, which is not part of the text. */
export function marked(
  text: string,
  languageId: string,
  uri = 'file:///work/code',
): { readonly document: TextDocument; readonly offset: number } {
  const offset = text.indexOf('│');
  return { document: TextDocument.create(uri, languageId, 1, text.replace('│', '')), offset };
}
