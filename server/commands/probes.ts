import { LabError } from '../protocol/errors.js';

const noMatch = (pattern: string) =>
  new LabError({ code: 'PROBE_UNKNOWN', message: `No probe matches ${pattern}.`, hint: 'inspect lists every probe of a model.' });

/** Names with * (or `blocks.i.`) stand for every probe they match; others are taken as they are. Errors: PROBE_UNKNOWN. */
export const expandProbes = (patterns: readonly string[], all: () => readonly string[]): string[] =>
  patterns.flatMap((pattern) => {
    if (!/\*|(^|\.)blocks\.i\./.test(pattern)) return [pattern];
    const escaped = pattern
      .replace(/(^|\.)blocks\.i\./, '$1blocks.*.')
      .split('*')
      .map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
    const expression = new RegExp(`^${escaped.join('.*')}$`);
    const found = all().filter((name) => expression.test(name));
    if (found.length === 0) throw noMatch(pattern);
    return found;
  });
