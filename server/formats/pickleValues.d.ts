/** A tensor as a pickle describes it. */
export interface StoredTensor {
  readonly kind: 'tensor';
  readonly storage: Storage;
  /** In elements. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** Where the pickle made it, absolute. */
  readonly at: number;
}
export interface Storage {
  readonly kind: 'storage';
  readonly dtype: string;
  /** Name of the archive's member, `data/KEY`. */
  readonly key: string;
  readonly elements: number;
}
export interface Dict {
  readonly kind: 'dict';
  readonly entries: [Value, Value][];
}
export interface Global {
  readonly kind: 'global';
  readonly name: string;
}
export declare const mark: {
  readonly kind: 'mark';
};
/** What a pickle may consist of here: plain data, and the few things that torch.save adds. */
export type Value = null | boolean | number | string | Value[] | Dict | StoredTensor | Storage | Global | typeof mark;
export declare const storageTypes: Map<string, string>;
/** The globals that may be named, of which nothing is ever called. */
export declare const constructors: Set<string>;
export declare const isKind: <K extends 'global' | 'tensor' | 'storage' | 'dict'>(
  value: Value | undefined,
  kind: K,
) => value is Extract<
  Value,
  {
    kind: K;
  }
>;
export declare const isDict: (value: Value) => value is Dict;
export declare const isSize: (value: Value | undefined) => value is number;
export declare const isSizes: (value: Value | undefined) => value is number[];
