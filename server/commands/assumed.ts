import type { OpenModel } from '../open.js';

/** Warns on stderr of what nothing in the files says, and how to say otherwise. */
export function warnOfAssumptions({ model: { inferred = [], family } }: Pick<OpenModel, 'model'>): void {
  for (const { what, because, assumed, otherwise } of inferred) {
    if (!assumed) continue;
    const hint = otherwise ? `; if not: --config ${otherwise.key}=${otherwise.value}` : '';
    process.stderr.write(`warning[ASSUMED]: ${family}: ${what} (${because}${hint})\n`);
  }
}
