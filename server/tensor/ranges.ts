/** From inclusive, to exclusive. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

export const length = ({ from, to }: Range): number => to - from;

export const positions = ({ from, to }: Range): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** Pieces that begin at multiples of `step`, the first and the last as far as the range goes. */
export function cut({ from, to }: Range, step: number): Range[] {
  const pieces: Range[] = [];
  for (let at = from; at < to; ) {
    const end = Math.min((Math.floor(at / step) + 1) * step, to);
    pieces.push({ from: at, to: end });
    at = end;
  }
  return pieces;
}
