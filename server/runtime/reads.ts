import type { Range } from '../tensor/ranges.js';
import { i64 } from './device.js';
import type { HostTensor } from './elements.js';

/** Tokens that were read together, by one prefill; all others were decoded one by one. */
export class Reads {
  readonly #reads: { readonly from: number; readonly to: number; readonly reach: number }[] = [];

  add(from: number, to: number): void {
    this.#reads.push({ from, to, reach: to });
  }

  /** The first `tokens` tokens as another run read them. */
  adopt(other: Reads, tokens: number): void {
    for (const { from, to, reach } of other.#reads)
      if (from < tokens) this.#reads.push({ from, to: Math.min(to, tokens), reach });
  }

  /** Tokens of the run when this one was read, itself and all that were read with it. A prefill that was cancelled is followed by another. */
  reach(token: number): number {
    const read = this.#reads.findLast(({ from }) => from <= token);
    return read && token < read.to ? read.reach : token + 1;
  }

  /** Whether all of these tokens were read by a prefill. */
  all({ from, to }: Range): boolean {
    const covered = this.#reads.findLast((read) => read.from <= from && from < read.to)?.to ?? from;
    return covered >= to || (covered > from && this.all({ from: covered, to }));
  }

  /** Pieces of some tokens that were either read or decoded. */
  parts({ from, to }: Range): readonly Range[] {
    const borders = this.#reads.flatMap((read) => [read.from, read.to]).filter((at) => at > from && at < to);
    const ends = [...new Set(borders), to].sort((a, b) => a - b);
    return ends.map((end, i) => ({ from: ends[i - 1] ?? from, to: end }));
  }

  /** The reach of some tokens as a graph asks for it: i64 [to − from]. */
  tensor(from: number, to: number): HostTensor {
    return i64(
      [to - from],
      Array.from({ length: to - from }, (_, i) => this.reach(from + i)),
    );
  }

  /** Whether the first `tokens` tokens, read in a run of `reach`, would be turned by the same angles: they change beyond `limit`. */
  alike(tokens: number, reach: number, limit: number | null): boolean {
    if (limit === null) return true;
    const within = (n: number) => Math.max(n, limit);
    for (let token = 0; token < tokens; token++) if (within(this.reach(token)) !== within(reach)) return false;
    return true;
  }
}
