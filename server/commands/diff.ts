import { diff as compare } from '../analyses/weightDiff.js';
import { openCheckpoint } from '../formats/registry.js';
import { writeWhole } from '../formats/writeWhole.js';
import { alone } from '../runtime/view.js';
import type { Arguments } from './usage.js';

const digits = (x: number): string => x.toPrecision(3).padStart(9);

/** Two checkpoints by tensor, those that differ most first: a table, and JSON with --out. */
export async function diff(args: Arguments): Promise<void> {
  const [a, b] = [await openCheckpoint(args.path), await openCheckpoint(args.second)];
  const result = await compare(a, b, alone);
  if (args.out !== undefined) await writeWhole(args.out, (file) => file.writeFile(`${JSON.stringify(result, null, 2)}\n`));
  const sorted = result.tensors.toSorted((x, y) => y.relative - x.relative);
  const lines = [
    '‖B−A‖/‖A‖    max|Δ|    cosine    changed  tensor',
    ...sorted.map(({ name, relative, max, cosine, changed, count, dtypes }) =>
      [
        digits(relative),
        digits(max),
        digits(cosine),
        `${((100 * changed) / Math.max(1, count)).toFixed(1)} %`.padStart(9),
        ` ${name} (${dtypes.join(' → ')})`,
      ].join(' '),
    ),
    ...result.onlyA.map((name) => `only in A: ${name}`),
    ...result.onlyB.map((name) => `only in B: ${name}`),
    ...result.reshaped.map(({ name, a, b }) => `another shape: ${name} [${a.join(', ')}] and [${b.join(', ')}]`),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
