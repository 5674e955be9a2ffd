/** First and last (exclusive) element of each of `cells` cells over `from`…`to`−1; a cell never is empty, so that small things enlarge. */
export function cellsOver(from: number, to: number, cells: number): { readonly from: number; readonly to: number }[] {
  const length = to - from;
  return Array.from({ length: cells }, (_, cell) => {
    const first = from + Math.floor((cell * length) / cells);
    return { from: first, to: Math.max(first + 1, from + Math.floor(((cell + 1) * length) / cells)) };
  });
}
