/** Pixels row by row, three bytes each: red, green, blue. */
export interface Rgb {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}
