import { writeSync } from 'node:fs';
import {
  type Connection,
  createConnection,
  IPCMessageReader,
  IPCMessageWriter,
  ProposedFeatures,
} from 'vscode-languageserver/node';

const CRASHED = 1;
const STDERR = 2;

/** The LSP connection to the process that forked this one. */
export const parentConnection = (): Connection =>
  createConnection(ProposedFeatures.all, new IPCMessageReader(process), new IPCMessageWriter(process));

/** The server has no life of its own: it ends when its parent does, and after a bug, so that the parent starts it afresh. */
export function endWithParent(): void {
  process.once('disconnect', () => process.exit(0));
  const crash = (error: unknown) => {
    // Synchronous, because the connection would not be flushed before the exit.
    writeSync(STDERR, `uncaught: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(CRASHED);
  };
  process.once('uncaughtException', crash);
  process.once('unhandledRejection', crash);
}
