/** Builders of small files, well-formed or not: each takes exactly what ends up in the file. */

export const u16 = (value: number) => Buffer.from(Uint16Array.of(value).buffer);
export const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
export const u64 = (value: number | bigint) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
export const f32 = (value: number) => Buffer.from(Float32Array.of(value).buffer);
export const bytes = (...parts: readonly (Uint8Array | string | number)[]): Buffer =>
  Buffer.concat(parts.map((p) => (typeof p === 'string' ? Buffer.from(p) : typeof p === 'number' ? Buffer.of(p) : p)));

/** A .safetensors file; `header` as JSON text or a value, followed by `data` zero bytes. */
export function safetensorsFile(header: unknown, data = 0): Buffer {
  const json = Buffer.isBuffer(header) ? header : Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  return bytes(u64(json.length), json, Buffer.alloc(data));
}

export const ggufText = (text: string | Uint8Array) => bytes(u64(Buffer.from(text).length), Buffer.from(text));
export const ggufPair = (key: string | Uint8Array, type: number, value: Uint8Array) => bytes(ggufText(key), u32(type), value);
export const ggufTensor = (name: string, dims: readonly (number | bigint)[], type: number, offset: number | bigint) =>
  bytes(ggufText(name), u32(dims.length), ...dims.map(u64), u32(type), u64(offset));

export interface GgufParts {
  readonly version?: number;
  readonly pairs?: readonly Uint8Array[];
  readonly tensors?: readonly Uint8Array[];
  readonly data?: number;
  readonly tensorCount?: number | bigint;
  readonly pairCount?: number | bigint;
}
export function ggufFile({ version = 3, pairs = [], tensors = [], data = 0, tensorCount, pairCount }: GgufParts): Buffer {
  const counts = [u64(tensorCount ?? tensors.length), u64(pairCount ?? pairs.length)];
  const header = bytes('GGUF', u32(version), ...counts, ...pairs, ...tensors);
  return bytes(header, Buffer.alloc((32 - (header.length % 32)) % 32), Buffer.alloc(data));
}
export const architecture = (name: string) => ggufPair('general.architecture', 8, ggufText(name));

export interface Member {
  readonly name: string;
  readonly data: Uint8Array;
  readonly method?: number;
  readonly flags?: number;
  /** In the directory, in place of the truth. */
  readonly size?: number;
  readonly local?: number;
}

interface ZipEnd {
  readonly entries?: number;
  readonly start?: number;
  /** Sizes and places in 64 bits, as archives beyond 4 GB have them. */
  readonly big?: boolean;
}

/** A zip archive of stored members (checksums are zero; nothing here checks them). */
export function zipFile(members: readonly Member[], end: ZipEnd = {}): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, data, method = 0, flags = 0, size = data.length, local = at } of members) {
    const sizes = (stored: number, extra: number) =>
      bytes(u16(flags), u16(method), u32(0), u32(0), u32(stored), u32(stored), u16(name.length), u16(extra));
    const all = 0xffffffff;
    const long = end.big ? bytes(u16(1), u16(24), u64(size), u64(size), u64(local)) : bytes();
    locals.push(bytes('PK\x03\x04', u16(20), sizes(size, 0), name, data));
    const common = bytes('PK\x01\x02', u16(20), u16(20), sizes(end.big ? all : size, long.length), new Uint8Array(10));
    directory.push(bytes(common, u32(end.big ? all : local), name, long));
    at += (locals.at(-1) as Buffer).length;
  }
  const listing = bytes(...directory);
  const [count, start] = [end.entries ?? members.length, end.start ?? at];
  if (!end.big)
    return bytes(...locals, listing, 'PK\x05\x06', u32(0), u16(count), u16(count), u32(listing.length), u32(start), u16(0));
  const record = bytes(
    'PK\x06\x06',
    u64(44),
    u16(45),
    u16(45),
    u32(0),
    u32(0),
    u64(count),
    u64(count),
    u64(listing.length),
    u64(start),
  );
  const locator = bytes('PK\x06\x07', u32(0), u64(at + listing.length), u32(1));
  return bytes(
    ...locals,
    listing,
    record,
    locator,
    'PK\x05\x06',
    u32(0),
    u16(0xffff),
    u16(0xffff),
    u32(0xffffffff),
    u32(0xffffffff),
    u16(0),
  );
}

/** Pickle opcodes, by Python's names. */
export const op = {
  proto: bytes(0x80, 2),
  mark: bytes('('),
  stop: bytes('.'),
  dict: bytes('}'),
  tuple: bytes('t'),
  emptyTuple: bytes(')'),
  reduce: bytes('R'),
  build: bytes('b'),
  persistent: bytes('Q'),
  setItem: bytes('s'),
  no: bytes(0x89),
  text: (value: string | Uint8Array) => bytes('X', u32(Buffer.from(value).length), Buffer.from(value)),
  int: (value: number) => bytes('J', u32(value >>> 0)),
  global: (module: string, name: string) => bytes(`c${module}\n${name}\n`),
} as const;

interface PickledTensor {
  readonly key?: string;
  readonly elements?: number;
  readonly shape?: readonly number[];
  readonly strides?: readonly number[];
  readonly offset?: number;
}
const sizes = (values: readonly number[]) => bytes(op.mark, ...values.map(op.int), op.tuple);

/** What torch.save writes for one fp32 tensor. */
export const pickledTensor = ({ key = '0', elements = 4, shape = [2, 2], strides = [2, 1], offset = 0 }: PickledTensor = {}) =>
  bytes(
    op.global('torch._utils', '_rebuild_tensor_v2'),
    op.mark,
    bytes(
      op.mark,
      op.text('storage'),
      op.global('torch', 'FloatStorage'),
      op.text(key),
      op.text('cpu'),
      op.int(elements),
      op.tuple,
      op.persistent,
    ),
    op.int(offset),
    sizes(shape),
    sizes(strides),
    op.no,
    bytes(op.global('collections', 'OrderedDict'), op.emptyTuple, op.reduce),
    op.tuple,
    op.reduce,
  );
export const pickledDict = (...items: readonly (readonly [string, Uint8Array])[]) =>
  bytes(op.proto, op.dict, ...items.map(([name, value]) => bytes(op.text(name), value, op.setItem)), op.stop);

/** A .pth of this pickle and one storage of 16 bytes. */
export const pthFile = (pickle: Uint8Array, others: readonly Member[] = []): Buffer =>
  zipFile([{ name: 'm/data.pkl', data: pickle }, { name: 'm/data/0', data: new Uint8Array(16) }, ...others]);

const varint = (value: number | bigint): Buffer => {
  const out: number[] = [];
  for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
    out.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    if (rest <= 127n) return Buffer.from(out);
  }
};
const tag = (field: number, wire: number) => varint(field * 8 + wire);
const block = (field: number, ...parts: readonly (Uint8Array | string | number)[]) => {
  const content = bytes(...parts);
  return bytes(tag(field, 2), varint(content.length), content);
};

/** Fields of protobuf messages. */
export const proto = {
  varint,
  tag,
  int: (field: number, value: number | bigint) => bytes(tag(field, 0), varint(value)),
  text: (field: number, value: string | Uint8Array) => block(field, value),
  message: block,
} as const;

export interface OnnxTensorParts {
  readonly name?: string;
  readonly dims?: readonly (number | bigint)[];
  readonly type?: number;
  readonly raw?: Uint8Array;
  readonly external?: Readonly<Record<string, string>>;
}
/** A TensorProto; without anything else its values are zeros. */
export function onnxTensor({ name = 'w', dims = [4], type = 1, raw, external }: OnnxTensorParts = {}): Buffer {
  const entries = Object.entries(external ?? {}).map(([key, value]) => block(13, proto.text(1, key), proto.text(2, value)));
  const values = external ? bytes(...entries, proto.int(14, 1)) : block(9, raw ?? new Uint8Array(16));
  return bytes(...dims.map((d) => proto.int(1, d)), proto.int(2, type), proto.text(8, name), values);
}

interface OnnxParts {
  readonly initializers?: readonly Uint8Array[];
  readonly nodes?: readonly Uint8Array[];
  readonly other?: readonly Uint8Array[];
}
/** A ModelProto of one graph. */
export const onnxFile = ({ initializers = [], nodes = [], other = [] }: OnnxParts = {}): Buffer =>
  bytes(proto.int(1, 8), block(7, ...nodes.map((n) => block(1, n)), ...initializers.map((t) => block(5, t))), ...other);
