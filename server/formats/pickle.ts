import { formatError } from './errors.js';
import {
  constructors,
  inert,
  isDict,
  isKind,
  isSize,
  isSizes,
  mark,
  opaque,
  type StoredTensor,
  storageTypes,
  tensorTypes,
  type Value,
} from './pickleValues.js';
import { quoted } from './tensorTable.js';
import { decodeText } from './text.js';

/** Bounds on what a small file may make of itself: a tensor takes about 10 objects and 200 bytes. */
export const maxPickle = 16 << 20;
const maxObjects = 1 << 18;
const maxStack = 1 << 18;

/** Runs the pickle in `bytes`, which start at `base` in `file`. Throws PICKLE_FORBIDDEN, PICKLE_INVALID, PICKLE_TOO_BIG. */
export const readPickle = (bytes: Uint8Array, file: string, base: number): Value => new Machine(bytes, file, base).run();

export interface PlacedPickle {
  readonly value: Value;
  /** Where it starts, and where it has ended, in the file. */
  readonly at: number;
  readonly end: number;
  /** Key → dtype of the storages it refers to. */
  readonly storages: ReadonlyMap<string, string>;
}

/** Runs `count` pickles that follow each other. Errors: those of `readPickle`. */
export function readPickles(bytes: Uint8Array, file: string, base: number, count: number): readonly PlacedPickle[] {
  const pickles: PlacedPickle[] = [];
  for (let at = 0; pickles.length < count; ) {
    const machine = new Machine(bytes.subarray(at), file, base + at);
    const value = machine.run();
    pickles.push({ value, at: base + at, end: base + at + machine.ended, storages: machine.storages });
    at += machine.ended;
  }
  return pickles;
}

/**
 * A reader of the pickles that torch.save makes. It is a stack machine over plain data: it calls nothing, imports nothing and knows
 * a few constructors by name. Anything else a pickle could ask for is refused with its name and offset, before it could matter.
 * Opcodes: Python's Lib/pickletools.py; what a state dict needs of them: torch/_weights_only_unpickler.py.
 */
class Machine {
  readonly storages = new Map<string, string>();
  private at = 0;
  private opcodeAt = 0;
  private objects = 0;
  private readonly stack: Value[] = [];
  private readonly memo = new Map<number, Value>();
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly file: string,
    private readonly base: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes read so far: all of the pickle, once it has run. */
  get ended(): number {
    return this.at;
  }

  run(): Value {
    for (;;) {
      this.opcodeAt = this.at;
      const opcode = this.byte();
      if (opcode === 0x2e) return this.pop();
      const step = steps[opcode];
      if (step === undefined) {
        const name = forbidden.get(opcode);
        if (name === undefined) throw this.invalid(`unknown opcode 0x${opcode.toString(16).padStart(2, '0')}`);
        throw this.forbid(`the opcode ${name}`);
      }
      step(this);
    }
  }

  byte(): number {
    return this.view.getUint8(this.advance(1));
  }
  uint16(): number {
    return this.view.getUint16(this.advance(2), true);
  }
  int32(): number {
    return this.view.getInt32(this.advance(4), true);
  }
  uint32(): number {
    return this.view.getUint32(this.advance(4), true);
  }
  uint64(): number {
    return Number(this.view.getBigUint64(this.advance(8), true));
  }
  float64(): number {
    return this.view.getFloat64(this.advance(8), false);
  }
  text(length: number): string {
    const from = this.advance(length);
    return decodeText(this.bytes.subarray(from, from + length), this.file, this.base + from, 'A string in the pickle');
  }
  /** Bytes that nobody looks at. */
  skip(length: number): void {
    this.advance(length);
    this.push(opaque);
  }
  line(): string {
    const end = this.bytes.subarray(this.at, this.at + 512).indexOf(10);
    if (end < 0) throw this.invalid('a name without end');
    const line = this.text(end);
    this.advance(1);
    return line;
  }
  /** Little-endian two's complement of `length` bytes. */
  long(length: number): number {
    if (length > 32) throw this.invalid(`an integer of ${length} bytes`);
    let value = 0n;
    for (let i = 0; i < length; i++) value |= BigInt(this.byte()) << BigInt(8 * i);
    return Number(BigInt.asIntN(8 * length, value));
  }

  push(value: Value): void {
    if (this.stack.length >= maxStack) throw this.tooBig(`more than ${maxStack} values on the stack`);
    this.stack.push(value);
  }
  pop(): Value {
    const value = this.stack.pop();
    if (value === undefined || value === mark) throw this.invalid('a value is missing on the stack');
    return value;
  }
  /** The last `length` values, in an array of just that capacity. */
  take(length: number): Value[] {
    const values = this.stack.splice(Math.max(0, this.stack.length - length));
    if (values.length < length || values.includes(mark)) throw this.invalid('a value is missing on the stack');
    return values;
  }
  top(): Value {
    const value = this.pop();
    this.stack.push(value);
    return value;
  }
  popToMark(): Value[] {
    const from = this.stack.lastIndexOf(mark);
    if (from < 0) throw this.invalid('a mark is missing on the stack');
    const values = this.stack.splice(from);
    values.shift();
    return values;
  }
  /** Counts what is allocated. */
  made<T extends Value>(value: T): T {
    if (++this.objects > maxObjects) throw this.tooBig(`more than ${maxObjects} objects`);
    return value;
  }

  put(index: number): void {
    if (this.memo.size >= maxObjects) throw this.tooBig(`more than ${maxObjects} memorised values`);
    this.memo.set(index, this.top());
  }
  memoize(): void {
    this.put(this.memo.size);
  }
  get(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) throw this.invalid(`no value was memorised as ${index}`);
    this.push(value);
  }

  append(values: Value[]): void {
    const list = this.top();
    if (list === opaque) return;
    if (!Array.isArray(list)) throw this.invalid('append to something that is not a list');
    for (const value of values) list.push(this.made(value));
  }
  setItems(values: Value[]): void {
    const dict = this.top();
    if (dict === opaque) return;
    if (!isDict(dict) || values.length % 2 !== 0) throw this.invalid('items set in something that is not a dictionary');
    for (let i = 0; i < values.length; i += 2)
      dict.entries.push(this.made([values[i] as Value, values[i + 1] as Value]) as [Value, Value]);
  }

  global(module: Value, name: Value): void {
    if (typeof module !== 'string' || typeof name !== 'string') throw this.forbid('a global whose name is not a text');
    const full = `${module}.${name}`;
    if (!constructors.has(full)) throw this.forbid(`the global ${quoted(full)}`);
    this.push(this.made({ kind: 'global', name: full }));
  }

  /** Python would call here. We build the one value that the allowed name stands for. */
  reduce(): void {
    const args = this.pop();
    const callee = this.pop();
    if (!isKind(callee, 'global') || !Array.isArray(args)) throw this.forbid('a call of something that is not an allowed global');
    if (inert.has(callee.name)) {
      this.push(opaque);
      return;
    }
    switch (callee.name) {
      case 'collections.OrderedDict':
        if (args.length > 0) throw this.forbid('an OrderedDict made from arguments');
        this.push(this.made({ kind: 'dict', entries: [] }));
        return;
      case 'collections.defaultdict':
      case 'collections.Counter': {
        const given = args.find(isDict);
        this.push(this.made({ kind: 'dict', entries: given?.entries ?? [] }));
        return;
      }
      case 'torch._utils._rebuild_tensor_v2':
      case 'torch._utils._rebuild_tensor_v3':
        this.push(this.made(this.tensor(args)));
        return;
      case 'torch._tensor._rebuild_from_type_v2': {
        const [maker, , made] = args;
        this.push(maker ?? null);
        this.push(made ?? null);
        this.reduce();
        return;
      }
      case 'torch._utils._rebuild_parameter_with_state':
      case 'torch._utils._rebuild_parameter':
      case 'torch.nn.parameter.Parameter':
        if (!isKind(args[0], 'tensor')) throw this.invalid('a parameter that is not a tensor');
        this.push(args[0]);
        return;
      default:
        throw this.forbid(`a call of ${quoted(callee.name)}`);
    }
  }

  private tensor([storage, offset, shape, strides, , , type]: Value[]): StoredTensor {
    if (!isKind(storage, 'storage') || !isSize(offset) || !isSizes(shape) || !isSizes(strides) || shape.length !== strides.length)
      throw this.invalid('a tensor with damaged arguments');
    const dtype = (isKind(type, 'global') && tensorTypes.get(type.name)) || storage.dtype;
    return { kind: 'tensor', storage, dtype, offset, shape, strides, at: this.base + this.opcodeAt };
  }

  /** An object of a class without a call of it: of what nobody looks at. */
  newObject(): void {
    const args = this.pop();
    const type = this.pop();
    if (!isKind(type, 'global') || !inert.has(type.name) || !Array.isArray(args)) throw this.forbid('the opcode NEWOBJ');
    this.push(opaque);
  }

  /** ('storage', torch.XStorage, key, device, elements), and before PyTorch 1.6 what it is a view of: None since 0.4. */
  persistent(): void {
    const id = this.pop();
    const [tag, type, key, , elements, view] = Array.isArray(id) ? id : [];
    const dtype = isKind(type, 'global') ? storageTypes.get(type.name) : undefined;
    if (tag !== 'storage' || dtype === undefined || typeof key !== 'string' || !isSize(elements) || (view ?? null) !== null)
      throw this.invalid('a storage with damaged arguments');
    this.storages.set(key, dtype);
    this.push(this.made({ kind: 'storage', dtype, key, elements }));
  }

  /** Sets attributes in Python. State dicts carry one, `_metadata`, on their OrderedDict: dropped. Nothing else may be built. */
  build(): void {
    const state = this.pop();
    if (this.top() === opaque) return;
    if (!isDict(this.top()) || !isDict(state)) throw this.forbid('BUILD of something that is not a state dict');
  }

  private advance(length: number): number {
    const from = this.at;
    if (from + length > this.bytes.length) throw this.invalid('it ends too early');
    this.at = from + length;
    return from;
  }
  forbid(what: string): Error {
    return formatError(
      'PICKLE_FORBIDDEN',
      this.file,
      this.base + this.opcodeAt,
      `The pickle asks for ${what}, which a checkpoint does not need.`,
    );
  }
  invalid(problem: string): Error {
    return formatError('PICKLE_INVALID', this.file, this.base + this.opcodeAt, `The pickle is damaged: ${problem}.`);
  }
  private tooBig(what: string): Error {
    return formatError('PICKLE_TOO_BIG', this.file, this.base + this.opcodeAt, `The pickle makes ${what}.`);
  }
}

type Step = (m: Machine) => void;
const tuple =
  (length: number): Step =>
  (m) =>
    m.push(m.made(m.take(length)));

/** By opcode: all that a state dict needs. */
const steps: Readonly<Record<number, Step>> = {
  128: (m) => void m.byte(), // PROTO
  149: (m) => void m.uint64(), // FRAME
  40: (m) => m.push(mark),
  78: (m) => m.push(null),
  136: (m) => m.push(true),
  137: (m) => m.push(false),
  75: (m) => m.push(m.byte()), // BININT1
  77: (m) => m.push(m.uint16()), // BININT2
  74: (m) => m.push(m.int32()), // BININT
  138: (m) => m.push(m.long(m.byte())), // LONG1
  67: (m) => m.skip(m.byte()), // SHORT_BINBYTES
  66: (m) => m.skip(m.uint32()), // BINBYTES
  71: (m) => m.push(m.float64()), // BINFLOAT
  88: (m) => m.push(m.made(m.text(m.uint32()))), // BINUNICODE
  140: (m) => m.push(m.made(m.text(m.byte()))), // SHORT_BINUNICODE
  125: (m) => m.push(m.made({ kind: 'dict', entries: [] })), // EMPTY_DICT
  93: (m) => m.push(m.made([])), // EMPTY_LIST
  41: (m) => m.push(m.made([])), // EMPTY_TUPLE
  133: tuple(1),
  134: tuple(2),
  135: tuple(3),
  116: (m) => m.push(m.made(m.popToMark())), // TUPLE
  143: (m) => m.push(m.made([])), // EMPTY_SET
  145: (m) => m.push(m.made(m.popToMark())), // FROZENSET
  144: (m) => m.append(m.popToMark()), // ADDITEMS
  97: (m) => m.append([m.pop()]), // APPEND
  101: (m) => m.append(m.popToMark()), // APPENDS
  115: (m) => m.setItems([m.pop(), m.pop()].reverse()), // SETITEM
  117: (m) => m.setItems(m.popToMark()), // SETITEMS
  113: (m) => m.put(m.byte()), // BINPUT
  114: (m) => m.put(m.uint32()), // LONG_BINPUT
  148: (m) => m.memoize(),
  104: (m) => m.get(m.byte()), // BINGET
  106: (m) => m.get(m.uint32()), // LONG_BINGET
  99: (m) => m.global(m.line(), m.line()), // GLOBAL
  147: (m) => {
    const name = m.pop();
    m.global(m.pop(), name); // STACK_GLOBAL
  },
  82: (m) => m.reduce(),
  129: (m) => m.newObject(), // NEWOBJ
  81: (m) => m.persistent(), // BINPERSID
  98: (m) => m.build(),
};

/** Opcodes that make objects, call, or load code. */
const forbidden = new Map([
  [0x69, 'INST'],
  [0x6f, 'OBJ'],
  [0x92, 'NEWOBJ_EX'],
  [0x82, 'EXT1'],
  [0x83, 'EXT2'],
  [0x84, 'EXT4'],
  [0x50, 'PERSID'],
  [0x97, 'NEXT_BUFFER'],
]);
