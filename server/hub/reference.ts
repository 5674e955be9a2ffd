import { referenceInvalid } from './errors.js';

/** A model on the Hub as a person names it. */
export interface Reference {
  /** `org/name`, or `name` alone for the oldest. */
  readonly repo: string;
  /** Branch, tag or commit; null for the default one. */
  readonly revision: string | null;
  /** A file in it, or null. */
  readonly file: string | null;
}

/** Names as the Hub allows them: letters, digits, `-`, `_` and `.`, none of the last three twice in a row or at an end. */
const NAME = /^(?!.*(?:--|\.\.))(?![-.])[\w.-]{1,96}(?<![-.])$/;
const KINDS = new Set(['tree', 'blob', 'resolve', 'raw', 'commit']);

export const isHubPath = (path: string): boolean => /^hf:\/\/?/.test(path);

/**
 * From `org/name`, `org/name@revision`, `hf://org/name@revision/file`, or the address of a page or file of the Hub.
 * @throws HUB_REFERENCE
 */
export function parseReference(text: string): Reference {
  const trimmed = text.trim();
  if (/^https?:\/\//.test(trimmed)) return fromAddress(trimmed);
  const [, plain = ''] = /^(?:hf:\/\/?)?(?:models\/)?(.*?)\/*$/s.exec(trimmed) ?? [];
  // A revision may hold slashes when they are written as %2F.
  const [org, rest, ...inside] = plain.split('/');
  const whole = rest === undefined ? [org ?? ''] : [org as string, rest];
  const [last = '', revision = null] = (whole.at(-1) as string).split('@') as [string, string?];
  return checked(text, [...whole.slice(0, -1), last], revision === null ? null : decode(text, revision), inside.join('/'));
}

function fromAddress(address: string): Reference {
  const parts = pathOf(address)
    .split('/')
    .filter(Boolean)
    .map((part) => decode(address, part));
  const at = parts.findIndex((part) => KINDS.has(part));
  const name = at < 0 ? parts.slice(0, 2) : parts.slice(0, at);
  const [kind, revision = null, ...file] = at < 0 ? [] : parts.slice(at);
  return checked(address, name, revision, kind === 'tree' || kind === 'commit' ? '' : file.join('/'));
}

function pathOf(address: string): string {
  try {
    return new URL(address).pathname;
  } catch {
    throw referenceInvalid(address);
  }
}

function checked(text: string, name: readonly string[], revision: string | null, file: string): Reference {
  const valid =
    name.length >= 1 &&
    name.length <= 2 &&
    name.every((part) => NAME.test(part)) &&
    !['datasets', 'spaces'].includes(name[0] ?? '');
  const safe = revision === null || (/^[\w./+-]{1,200}$/.test(revision) && !revision.includes('..'));
  if (!valid || !safe || !isSafeFile(file)) throw referenceInvalid(text);
  return { repo: name.join('/'), revision, file: file === '' ? null : file };
}

/** A relative path that stays below where it is joined to. What a server names is checked, too. */
export const isSafeFile = (file: string): boolean =>
  file === '' ||
  (!file.startsWith('/') &&
    !/[\\:\0]/.test(file) &&
    file.split('/').every((part) => part !== '' && part !== '.' && part !== '..'));

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw referenceInvalid(text);
  }
}

/** `hf://org/name@revision/file`. */
export const hubPath = ({ repo, revision, file }: Reference): string =>
  `hf://${repo}${revision === null ? '' : `@${encodeURIComponent(revision)}`}${file === null ? '' : `/${file}`}`;
