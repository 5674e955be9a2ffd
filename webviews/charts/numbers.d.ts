/** At most four characters of digits: for cells, axes and legends. */
export declare function compact(value: number): string;
/** Six significant digits: where one looks a number up. */
export declare function exact(value: number): string;
/** Decimal units, three digits: 1536 → 1.54 kB. */
export declare function bytes(count: number): string;
/** Parameters and the like: 135e6 → 135 M. */
export declare function count(value: number): string;
export declare const shape: (sizes: readonly (number | string)[]) => string;
