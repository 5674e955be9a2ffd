/** A tensor as a pickle describes it. */
export interface StoredTensor {
  readonly kind: 'tensor';
  readonly storage: Storage;
  /** The storage's, unless the storage says nothing but how many bytes it has. */
  readonly dtype: string;
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
/** What checkpoints hold beside tensors and plain data: nobody looks at it. */
export const opaque = { kind: 'opaque' } as const;
export const mark = { kind: 'mark' } as const;
/** What a pickle may consist of here: plain data, and the few things that torch.save adds. */
export type Value =
  | null
  | boolean
  | number
  | string
  | Value[]
  | Dict
  | StoredTensor
  | Storage
  | Global
  | typeof opaque
  | typeof mark;

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
    ComplexFloatStorage: 'C64',
    ComplexDoubleStorage: 'C128',
    QInt8Storage: 'I8',
    QUInt8Storage: 'U8',
    QInt32Storage: 'I32',
    'storage.UntypedStorage': 'U8',
  }).map(([name, dtype]) => [`torch.${name}`, dtype]),
);
/** Of tensors over storages that are untyped. */
export const tensorTypes = new Map(
  Object.entries({
    float32: 'F32',
    float16: 'F16',
    bfloat16: 'BF16',
    float64: 'F64',
    float8_e4m3fn: 'F8_E4M3',
    float8_e5m2: 'F8_E5M2',
    float8_e4m3fnuz: 'F8_E4M3FNUZ',
    float8_e5m2fnuz: 'F8_E5M2FNUZ',
    float8_e8m0fnu: 'F8_E8M0',
    int64: 'I64',
    int32: 'I32',
    int16: 'I16',
    int8: 'I8',
    uint8: 'U8',
    uint16: 'U16',
    uint32: 'U32',
    uint64: 'U64',
    bool: 'BOOL',
    complex64: 'C64',
    complex128: 'C128',
  }).map(([name, dtype]) => [`torch.${name}`, dtype]),
);

/** What trainers leave in checkpoints beside the weights: sizes, devices, random states, arguments. All of them become `opaque`. */
export const inert = new Set([
  ...['Size', 'device', 'Tensor', 'per_tensor_affine', 'per_channel_affine', 'serialization._get_layout'].map(
    (name) => `torch.${name}`,
  ),
  ...['_rebuild_sparse_tensor', '_rebuild_qtensor'].map((name) => `torch._utils.${name}`),
  ...['__builtin__', 'builtins'].flatMap((module) =>
    ['set', 'frozenset', 'complex', 'bytearray', 'slice'].map((name) => `${module}.${name}`),
  ),
  ...['core', '_core'].flatMap((module) => ['scalar', '_reconstruct'].map((name) => `numpy.${module}.multiarray.${name}`)),
  ...['numpy.dtype', 'numpy.ndarray', '_codecs.encode', 'argparse.Namespace', 'pathlib.PosixPath', 'pathlib._local.PosixPath'],
]);

/** The globals that may be named, of which nothing is ever called. */
export const constructors = new Set([
  'torch._utils._rebuild_tensor_v2',
  'torch._utils._rebuild_tensor_v3',
  'torch._utils._rebuild_parameter',
  'torch._utils._rebuild_parameter_with_state',
  'torch._tensor._rebuild_from_type_v2',
  'torch.nn.parameter.Parameter',
  'collections.OrderedDict',
  'collections.defaultdict',
  'collections.Counter',
  ...storageTypes.keys(),
  ...tensorTypes.keys(),
  ...inert,
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
