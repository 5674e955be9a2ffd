import type * as vscode from 'vscode';
import type { EditorDocuments } from './editorDocuments.js';
import type { HubToken } from './hubToken.js';
import type { Panels } from './panels.js';
import type { SharedSelection } from './selection.js';
import type { Server } from './server.js';
import type { Session } from './session.js';
import type { ModelsTree } from './trees/models.js';

/** The parts of the extension that commands work with. */
export interface Lab {
  readonly context: vscode.ExtensionContext;
  readonly log: vscode.LogOutputChannel;
  readonly server: Server;
  readonly selection: SharedSelection;
  readonly session: Session;
  readonly panels: Panels;
  readonly models: ModelsTree;
  readonly documents: EditorDocuments;
  readonly hubToken: HubToken;
  /** Paths of the embedded models. */
  readonly embedded: readonly string[];
}
