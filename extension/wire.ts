import { cancelled, internal, LabError } from '../server/protocol/errors.js';
import { serverLost } from './errors.js';
import { isErrorData } from './messages.js';

/** LSP's code of a cancelled request; the numbers here spare loading the LSP library early. */
const REQUEST_CANCELLED = -32800;
/** vscode-jsonrpc: connection closed, connection disposed, write failed, pending response rejected, connection inactive. */
const CONNECTION_LOST: ReadonlySet<unknown> = new Set([1, 2, -32099, -32097, -32096]);

/** An error as it arrives from the client: with the coded error that it carries, or with the code for how it was lost. */
export function fromWire(error: unknown): LabError {
  if (error instanceof LabError) return error;
  const { code, data } = (typeof error === 'object' && error !== null ? error : {}) as { code?: unknown; data?: unknown };
  if (isErrorData(data)) return new LabError(data);
  if (code === REQUEST_CANCELLED) return cancelled();
  return CONNECTION_LOST.has(code) ? serverLost() : internal(error);
}
