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
export const mark = { kind: 'mark' } as const;
/** What a pickle may consist of here: plain data, and the few things that torch.save adds. */
export type Value = null | boolean | number | string | Value[] | Dict | StoredTensor | Storage | Global | typeof mark;

export const storageTypes = new Map(
  Object.entries({
    FloatStorage: 'F32',
    HalfStorage: 'F16',
    BFloat16Storage: 'BF16',
    DoubleStorage: 'F64',
    LongStorage: 'I64',
    IntStorage: 'I32',
    ShortStorage: 'I16',
    CharStorage: 'I8',
    ByteStorage: 'U8',
    BoolStorage: 'BOOL',
  }).map(([name, dtype]) => [`torch.${name}`, dtype]),
);
/** The globals that may be named, of which nothing is ever called. */
export const constructors = new Set([
  'torch._utils._rebuild_tensor_v2',
  'torch._utils._rebuild_parameter',
  'torch.nn.parameter.Parameter',
  'collections.OrderedDict',
  ...storageTypes.keys(),
]);

export const isKind = <K extends 'global' | 'tensor' | 'storage' | 'dict'>(
  value: Value | undefined,
  kind: K,
): value is Extract<Value, { kind: K }> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && value.kind === kind;
export const isDict = (value: Value): value is Dict => isKind(value, 'dict');
export const isSize = (value: Value | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
export const isSizes = (value: Value | undefined): value is number[] =>
  Array.isArray(value) && value.length <= 16 && value.every(isSize);
