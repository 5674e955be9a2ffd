import type { LabErrorData } from '../server/protocol/errors.js';
import type { EditorDocument, FromHost, Selection, ServerStatus } from '../server/protocol/host.js';

type Loose = Record<string, unknown>;

const STATUSES: readonly ServerStatus[] = ['starting', 'ready', 'restarting', 'stopped'];

/**
 * The border where untyped messages become ours: anything that is not whole is dropped. Results and payloads are checked
 * by the server, which made them; here only their envelope is.
 */
export function parseFromHost(data: unknown): FromHost | null {
  if (!isObject(data)) return null;
  switch (data.kind) {
    case 'result':
      return Number.isInteger(data.id) && 'result' in data ? (data as FromHost) : null;
    case 'error':
      return Number.isInteger(data.id) && isError(data.error) ? (data as FromHost) : null;
    case 'progress':
      return Number.isInteger(data.id) && isCount(data.done) && isCount(data.total) && typeof data.what === 'string'
        ? (data as FromHost)
        : null;
    case 'event':
      return typeof data.event === 'string' && isObject(data.payload) ? (data as FromHost) : null;
    case 'selection':
      return isSelection(data.selection) ? (data as FromHost) : null;
    case 'document':
      return data.document === null || isDocument(data.document) ? (data as FromHost) : null;
    case 'prices':
      return isObject(data.prices) && Object.values(data.prices).every(isCount) ? (data as FromHost) : null;
    case 'server':
      return STATUSES.includes(data.status as ServerStatus) ? (data as FromHost) : null;
    default:
      return null;
  }
}

export function isSelection(value: unknown): value is Selection {
  if (!isObject(value)) return false;
  const { run, token, layer, head } = value;
  return (run === null || typeof run === 'string') && (token === null || isCount(token)) && isCount(layer) && isCount(head);
}

function isDocument(value: unknown): value is EditorDocument {
  if (!isObject(value)) return false;
  const { document, name, file, version, length, selection, visible } = value;
  const isRange = (range: unknown) => Array.isArray(range) && range.length === 2 && range.every(isCount);
  const texts = typeof document === 'string' && typeof name === 'string' && (file === null || typeof file === 'string');
  return texts && isCount(version) && isCount(length) && isRange(selection) && isRange(visible);
}

const isObject = (value: unknown): value is Loose => typeof value === 'object' && value !== null;
const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const isError = (value: unknown): value is LabErrorData =>
  isObject(value) && typeof value.code === 'string' && typeof value.message === 'string' && typeof value.hint === 'string';
