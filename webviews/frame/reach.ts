/** How far a layer looks back, behind its number: " (window 512)". */
export const reach = (window: number | null, chunk: number | undefined): string =>
  chunk === undefined ? (window === null ? '' : ` (window ${window})`) : ` (chunks of ${chunk})`;
