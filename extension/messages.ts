import type { LabErrorData } from '../server/protocol/errors.js';
import {
  type HostMethod,
  type HostRequests,
  type InspectorId,
  inspectors,
  type Selection,
  type ToHost,
} from '../server/protocol/host.js';

type Loose = Readonly<Record<string, unknown>>;

const METHOD = /^[a-z]+\/[A-Za-z]+$/;

/** The border where a webview's untyped messages become ours; null for anything that is not whole. The server checks params. */
export function parseToHost(data: unknown): ToHost | null {
  if (!isObject(data)) return null;
  switch (data.kind) {
    case 'ready':
      return { kind: 'ready' };
    case 'cancel':
      return isCount(data.id) ? { kind: 'cancel', id: data.id } : null;
    case 'request': {
      const { id, method, params } = data;
      const whole = isCount(id) && typeof method === 'string' && METHOD.test(method) && (params === null || isObject(params));
      return whole ? ({ kind: 'request', id, method, params } as ToHost) : null;
    }
    default:
      return null;
  }
}

/** Whether `params` are those of the host request, by method. */
export const accepts: { readonly [M in HostMethod]: (params: unknown) => params is HostRequests[M]['params'] } = {
  'host/select': (params): params is Partial<Selection> => isSelectionChange(params),
  'host/showInspector': (params): params is { inspector: InspectorId } =>
    isObject(params) && inspectors.includes(params.inspector as InspectorId),
  'host/runPath': (params): params is { path: string } => isObject(params) && typeof params.path === 'string',
  'host/pickImage': (params): params is null => params === null,
  'host/pickModel': (params): params is null => params === null,
  'host/copyCommand': (params): params is { run: string; probes: string[] } =>
    isObject(params) && typeof params.run === 'string' && isTexts(params.probes),
  'host/saveText': (params): params is { name: string; text: string } =>
    isObject(params) && typeof params.name === 'string' && typeof params.text === 'string',
  'host/inspectPath': (params): params is { path: string } => isObject(params) && typeof params.path === 'string',
  'host/setHubToken': (params): params is null => params === null,
  'host/selectText': (params): params is { document: string; from: number; to: number } =>
    isObject(params) && typeof params.document === 'string' && isCount(params.from) && isCount(params.to),
  'host/newText': (params): params is null => params === null,
  'host/copyText': (params): params is { text: string } => isObject(params) && typeof params.text === 'string',
  'host/setPrice': (params): params is { vocabulary: string; price: number | null } =>
    isObject(params) &&
    typeof params.vocabulary === 'string' &&
    (params.price === null || (Number.isFinite(params.price) && (params.price as number) >= 0)),
  'host/tellConfig': (params): params is { path: string; key: string; value: boolean | string } =>
    isObject(params) &&
    typeof params.path === 'string' &&
    typeof params.key === 'string' &&
    ['boolean', 'string'].includes(typeof params.value),
  'host/restartServer': (params): params is null => params === null,
  'host/showError': (params): params is LabErrorData => isErrorData(params),
};

export const isHostMethod = (method: string): method is HostMethod => Object.hasOwn(accepts, method);

/** Parts of a selection; anything else in it is refused. */
export function isSelectionChange(value: unknown): value is Partial<Selection> {
  if (!isObject(value)) return false;
  return Object.entries(value).every(([key, part]) => {
    if (key === 'run') return part === null || typeof part === 'string';
    if (key === 'token') return part === null || isCount(part);
    if (key === 'tensor') return typeof part === 'string';
    return (key === 'layer' || key === 'head') && isCount(part);
  });
}

export const isErrorData = (value: unknown): value is LabErrorData =>
  isObject(value) && ['code', 'message', 'hint'].every((key) => typeof value[key] === 'string');

const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every((item) => typeof item === 'string');
const isObject = (value: unknown): value is Loose => typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
