import { type Connection, type Diagnostic, DiagnosticSeverity, type TextDocuments } from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { codeLenses } from './codeLens.js';
import { conceptHover } from './conceptHover.js';
import { checkConfig } from './config/check.js';
import type { Issue, Severity } from './config/document.js';
import { NeighbourReader } from './config/neighbours.js';
import type { ActiveContext } from './context.js';
import { folderOf, resolveModel } from './modelPath.js';
import { PretrainedHover } from './pretrainedHover.js';
import { showsTokens, TokenHover } from './tokenHover.js';

const SEVERITY: Readonly<Record<Severity, DiagnosticSeverity>> = {
  error: DiagnosticSeverity.Error,
  warning: DiagnosticSeverity.Warning,
  information: DiagnosticSeverity.Information,
  hint: DiagnosticSeverity.Hint,
};

/** Typing pauses this long before a config is checked. */
const PAUSE_MS = 200;

export interface LanguageOptions {
  /** What is on screen now; asked at every hover. */
  readonly active: () => ActiveContext;
  /** Paths of the workspace's folders. */
  readonly workspaceFolders: () => readonly string[];
  /** Folder in which Hugging Face's tools keep what they downloaded. */
  readonly hubCache: () => string;
}

/** What the server must announce in its answer to `initialize` for these features. */
export const languageCapabilities = { hoverProvider: true, codeLensProvider: { resolveProvider: false } } as const;

export function toDiagnostic(document: TextDocument, { code, severity, message, start, end }: Issue): Diagnostic {
  const range = { start: document.positionAt(start), end: document.positionAt(end) };
  return { range, message, code, severity: SEVERITY[severity], source: 'Model Lab' };
}

/** Hovers, code lenses and diagnostics on an LSP connection; call before `connection.listen()`. */
export function registerLanguage(connection: Connection, documents: TextDocuments<TextDocument>, options: LanguageOptions): void {
  const tokens = new TokenHover();
  const pretrained = new PretrainedHover();
  const resolverFor = (document: TextDocument) => {
    const places = { document: folderOf(document.uri), workspace: options.workspaceFolders(), hub: options.hubCache() };
    return (name: string) => resolveModel(name, places);
  };
  connection.onHover(async ({ textDocument, position }) => {
    const document = documents.get(textDocument.uri);
    if (!document) return null;
    const offset = document.offsetAt(position);
    if (showsTokens(document)) return tokens.hover(document, offset, options.active());
    const model = await pretrained.hover(document, offset, resolverFor(document));
    return model ?? conceptHover(document, offset, options.active());
  });
  connection.onCodeLens(async ({ textDocument }) => {
    const document = documents.get(textDocument.uri);
    if (!document) return [];
    return codeLenses(document, resolverFor(document));
  });
  registerDiagnostics(connection, documents);
}

function registerDiagnostics(connection: Connection, documents: TextDocuments<TextDocument>): void {
  const reader = new NeighbourReader();
  const waiting = new Map<string, NodeJS.Timeout>();
  const check = async (uri: string): Promise<void> => {
    const document = documents.get(uri);
    const folder = folderOf(uri);
    if (!document || folder === null) return;
    const { version } = document;
    const issues = checkConfig(document.getText(), await reader.read(folder));
    // The text may have changed while the neighbours were read; its own check follows.
    if (documents.get(uri)?.version !== version) return;
    await connection.sendDiagnostics({ uri, version, diagnostics: issues.map((issue) => toDiagnostic(document, issue)) });
  };
  documents.onDidChangeContent(({ document: { uri } }) => {
    if (!uri.endsWith('/config.json')) return;
    clearTimeout(waiting.get(uri));
    const report = (error: unknown) => connection.console.error(`Checking ${uri}: ${(error as Error).message}`);
    waiting.set(
      uri,
      setTimeout(() => check(uri).catch(report), PAUSE_MS),
    );
  });
  documents.onDidClose(({ document: { uri } }) => {
    clearTimeout(waiting.get(uri));
    waiting.delete(uri);
    if (uri.endsWith('/config.json')) void connection.sendDiagnostics({ uri, diagnostics: [] });
  });
}
