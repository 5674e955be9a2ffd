import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LabError } from '../server/protocol/errors.js';

const OLDEST_MAJOR = 20;
const CHECK_TIMEOUT_MS = 5000;

export interface NodeChoice {
  /** Executable to fork the server with. */
  readonly execPath: string;
  readonly version: string;
  /** Said once when the choice is a makeshift. */
  readonly warning: string | null;
}

const nodeUnusable = (execPath: string, why: string) =>
  new LabError({
    code: 'NODE_UNUSABLE',
    message: `"${execPath}" cannot run the Model Lab server: ${why}.`,
    hint: `Set modelLab.server.node to a Node.js ≥ ${OLDEST_MAJOR}, or clear it to use the one on PATH.`,
  });

/**
 * The Node that runs the server: the setting, else `node` on PATH, else the one inside the editor. Errors: NODE_UNUSABLE, for
 * the setting only; a node on PATH that does not do is passed over.
 */
export async function chooseNode(setting: string): Promise<NodeChoice> {
  if (setting !== '') return { execPath: setting, version: await checkedVersion(setting), warning: null };
  try {
    return { execPath: 'node', version: await checkedVersion('node'), warning: null };
  } catch {
    const electron = process.versions.electron !== undefined;
    const warning = `No Node.js ≥ ${OLDEST_MAJOR} on PATH: the Model Lab server runs inside the editor's own Electron, which may be slower to load models.`;
    return { execPath: process.execPath, version: process.version, warning: electron ? warning : null };
  }
}

async function checkedVersion(execPath: string): Promise<string> {
  const version = await versionOf(execPath);
  if (Number(/^v(\d+)\./.exec(version)?.[1] ?? 0) < OLDEST_MAJOR)
    throw nodeUnusable(execPath, `it says its version is "${version}"`);
  return version;
}

async function versionOf(execPath: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(execPath, ['--version'], { timeout: CHECK_TIMEOUT_MS, windowsHide: true });
    return stdout.trim();
  } catch (error) {
    throw nodeUnusable(execPath, error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error));
  }
}
