import { readdirSync, realpathSync } from 'node:fs';
import path from 'node:path';
import * as vscode from 'vscode';
import { LabError } from '../server/protocol/errors.js';
import { registerCheckpointEditor } from './checkpointEditor.js';
import { setHubTokenCommand } from './commands/hubToken.js';
import { pickImage } from './commands/images.js';
import { inspectCommand } from './commands/models.js';
import { runPathCommand } from './commands/prompt.js';
import { registerCommands } from './commands/register.js';
import { copyCommand, saveText } from './commands/runs.js';
import { EditorDocuments } from './editorDocuments.js';
import { showError } from './errors.js';
import { formatCount } from './format.js';
import { HubToken } from './hubToken.js';
import type { Lab } from './lab.js';
import { launcher, watchSettings } from './launch.js';
import { Panels } from './panels.js';
import { pickModel } from './pickModel.js';
import { setPrice } from './prices.js';
import { registerPromptView } from './promptView.js';
import { type HostHandlers, Relay } from './relay.js';
import { SharedSelection } from './selection.js';
import { Server } from './server.js';
import { Session } from './session.js';
import { registerStatusBar } from './statusBar.js';
import { tellConfig } from './toldConfig.js';
import { ModelsTree } from './trees/models.js';
import { RunsTree } from './trees/runs.js';
import { Views } from './views.js';

let running: Server | null = null;

/** What other extensions, and the tests, may use. */
export interface ModelLabApi {
  /** Processor time that activation took, milliseconds; wall time would depend on what else the machine does. */
  readonly activationMs: number;
  readonly server: Pick<Server, 'status' | 'failure' | 'pid' | 'request' | 'onStatus' | 'onEvent'>;
  readonly selection: Pick<SharedSelection, 'value' | 'onChange'>;
  /** Lets a webview ask the lab with the messages of server/protocol/host.ts. */
  readonly relay: Pick<Relay, 'attach'>;
}

/** Registers everything and returns; the server starts afterwards, on its own time. */
export function activate(context: vscode.ExtensionContext): ModelLabApi {
  const before = process.cpuUsage();
  const log = vscode.window.createOutputChannel('Model Lab', { log: true });
  const server = new Server({ log, launch: launcher(context) });
  const selection = new SharedSelection(context.workspaceState);
  const session = new Session(server, selection);
  const models = new ModelsTree(server, session);
  const embedded = embeddedModels(context);
  const relay = new Relay(
    server,
    selection,
    hostHandlers(() => lab),
    log,
  );
  const documents = new EditorDocuments(server, log);
  const hubToken = new HubToken(context.secrets, server);
  const views = new Views({ root: context.extensionUri, relay, server, selection, documents, embedded });
  const panels = new Panels(views);
  const lab: Lab = { context, log, server, selection, session, panels, models, documents, hubToken, embedded };
  context.subscriptions.push(
    ...[log, server, selection, session, models, documents, hubToken, relay, panels, new RunsTree(session, selection)],
    registerPromptView(views),
    registerCheckpointEditor(views),
    registerCommands(lab),
    registerStatusBar(server, session),
    watchSettings(() => server.restart()),
    ...registerNotices(server),
  );
  running = server;
  setImmediate(() => server.start().catch((error) => void showError(error)));
  return { activationMs: cpuMs(before), server, selection, relay };
}

export async function deactivate(): Promise<void> {
  await running?.stop();
}

function cpuMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Their real paths, as the server names them. */
function embeddedModels(context: vscode.ExtensionContext): string[] {
  const folder = realpathSync(context.asAbsolutePath('media/models'));
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => path.join(folder, name));
}

/** What views ask of the extension itself. `lab` is complete when the first one does. */
function hostHandlers(lab: () => Lab): HostHandlers {
  const done = async (task: unknown): Promise<null> => {
    await task;
    return null;
  };
  return {
    'host/select': (change) => done(lab().selection.select(change)),
    'host/showInspector': ({ inspector }) => done(lab().panels.show(inspector)),
    'host/runPath': ({ path }) => done(runPathCommand(lab(), path)),
    'host/pickImage': async () => {
      const chosen = await pickImage();
      return chosen === null ? null : { path: chosen };
    },
    'host/pickModel': async () => {
      const chosen = await pickModel(lab(), 'Choose a model');
      return chosen === null ? null : { path: chosen };
    },
    'host/copyCommand': ({ run, probes }) => done(copyCommand(lab(), run, probes)),
    'host/saveText': async ({ name, text }) => ({ saved: await saveText(lab(), name, text) }),
    'host/inspectPath': ({ path }) => done(inspectCommand(lab(), path)),
    'host/setHubToken': () => done(setHubTokenCommand(lab())),
    'host/selectText': ({ document, from, to }) => done(lab().documents.select(document, from, to)),
    'host/newText': async () => done(await vscode.window.showTextDocument(await vscode.workspace.openTextDocument())),
    'host/copyText': ({ text }) => done(vscode.env.clipboard.writeText(text)),
    'host/setPrice': ({ vocabulary, price }) => done(setPrice(vocabulary, price)),
    'host/tellConfig': ({ path, key, value }) => done(tellConfig(path, key, value)),
    'host/restartServer': () => done(lab().server.restart()),
    'host/showError': (error) => {
      void showError(new LabError(error));
      return null;
    },
  };
}

/** What the server says that no view shows. */
function registerNotices(server: Server): vscode.Disposable[] {
  return [
    server.on('notice', ({ level, text, error }) => {
      if (error) void showError(new LabError(error));
      else if (level === 'warning') void vscode.window.showWarningMessage(text);
      else void vscode.window.showInformationMessage(text);
    }),
    server.on('restored', ({ models, runs }) => {
      if (models.length + runs.length === 0) return;
      const what = `${formatCount(models.length, 'model')} and ${formatCount(runs.length, 'run')}`;
      void vscode.window.showInformationMessage(`The Model Lab server is back: ${what} restored.`);
    }),
  ];
}
