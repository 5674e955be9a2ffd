import { basename, dirname, join } from 'node:path';
import type { Format } from './checkpoint.js';
import { formatError } from './errors.js';
import { listFolder, type ModelFolder, readModelFolder } from './modelFolder.js';
import { ExternalFiles } from './onnxExternal.js';
import { storedBytes } from './onnxTensor.js';
import { unpackValues } from './onnxValues.js';
import { eachTensor, type FoundTensor } from './onnxWalk.js';
import { ProtoReader } from './protoReader.js';
import { resolvePath, withFile } from './rangedFile.js';
import { type Declared, inOrder, quoted, tensorTable } from './tensorTable.js';

/** A constant with fewer values says how an operator works (an axis, a shape) and is not listed as a tensor. */
const leastConstant = 64;

/**
 * ONNX (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). Its initializers are the tensors, wherever their bytes are: in the file, one
 * by one in the message, or in files beside it. Tensors of graphs inside operators go by `OPERATOR'S OUTPUT/ATTRIBUTE/NAME`.
 */
export const onnx: Format = {
  id: 'onnx',
  extensions: ['.onnx'],
  matches: (path) => path.toLowerCase().endsWith('.onnx'),
  async open(path) {
    const found = await withFile(path, async (file) => {
      const reader = new ProtoReader(file);
      const about = await aboutModel(reader);
      const tensors: FoundTensor[] = [];
      await eachTensor(reader, (tensor) => tensors.push(tensor));
      return { about, tensors, bytes: file.bytes };
    });
    const external = await ExternalFiles.open(path, { path: await resolvePath(path), bytes: found.bytes });
    const declared: Declared[] = [];
    for (const each of found.tensors) {
      const entry = await declare(path, each, external);
      if (entry && isShown(each)) declared.push(entry);
    }
    return {
      path,
      name: basename(path),
      format: 'onnx',
      files: external.files,
      // Exporters let tied weights share their place in an external file.
      tensors: tensorTable(declared, external.files, true),
      metadata: found.about,
      ...(await folderOf(path)),
    };
  },
};

const isShown = ({ tensor, path }: FoundTensor): boolean =>
  path.at(-1)?.kind === 'graph' || path.at(-1)?.kind === 'sparse' || tensor.elements >= leastConstant;

/** The name in the graph; of a tensor elsewhere, the way to it. A sparse tensor is two. */
function nameOf({ tensor, path }: FoundTensor, at: string): string {
  const way = path.flatMap(({ kind, name }) => (name !== '' && kind !== 'graph' ? [name] : []));
  const last = path.at(-1);
  if (last?.kind === 'attribute') return [...way.slice(0, -1), ...(last.name === 'value' ? [] : [last.name])].join('/');
  return [...way, tensor.name === '' ? at : tensor.name].join('/');
}

async function declare(path: string, found: FoundTensor, external: ExternalFiles): Promise<Declared | null> {
  const { tensor } = found;
  const { values, dtype, shape, from } = tensor;
  const bytes = storedBytes(tensor);
  const name = nameOf(found, `tensor at ${from}`);
  const entry = { name, sourceName: name, dtype, shape, file: 0, bytes, ...inOrder };
  if (values.kind === 'raw') return { entry: { ...entry, offset: values.from }, declaredAt: from };
  if (values.kind === 'external') {
    const file = await external.index(values);
    const size = external.files[file]?.bytes as number;
    const length = values.length ?? size - values.offset;
    if (values.offset + bytes > size)
      throw formatError(
        'OFFSET_INVALID',
        path,
        from,
        `Tensor ${quoted(name)} ends at byte ${values.offset + bytes} of ${quoted(values.location)}, which has ${size}.`,
      );
    if (length < bytes)
      throw formatError('SIZE_MISMATCH', path, from, `Tensor ${quoted(name)} needs ${bytes} bytes and has ${length}.`);
    return { entry: { ...entry, file, offset: values.offset }, declaredAt: from };
  }
  if (values.kind === 'none') return { entry: { ...entry, offset: from }, declaredAt: from };
  const unpack = (message: Uint8Array): Uint8Array<ArrayBuffer> => {
    const unpacked = dtype === 'STRING' ? null : unpackValues(message, dtype, bytes);
    if (unpacked) return unpacked;
    throw formatError(
      'SIZE_MISMATCH',
      path,
      from,
      `Tensor ${quoted(name)} does not have the ${tensor.elements} values of its shape.`,
    );
  };
  return { entry: { ...entry, offset: from, bytes: tensor.to - from, unpack }, declaredAt: from };
}

const texts: ReadonlyMap<number, string> = new Map([
  [2, 'producer'],
  [3, 'producer_version'],
  [4, 'domain'],
  [6, 'doc'],
]);

/** What ModelProto says of itself. Throws HEADER_INVALID for a file that is no ONNX model. */
async function aboutModel(reader: ProtoReader): Promise<Record<string, unknown>> {
  const about: Record<string, unknown> = {};
  const opsets: Record<string, number> = {};
  let graphs = 0;
  for (let at = 0; at < reader.file.bytes; ) {
    const field = reader.fieldAtHand(at, reader.file.bytes) ?? (await reader.field(at, reader.file.bytes));
    at = field.to;
    const text = texts.get(field.number);
    if (field.number === 1 && field.wire === 0) about.ir_version = field.value;
    else if (field.number === 5 && field.wire === 0) about.model_version = field.value;
    else if (text !== undefined && field.wire === 2 && field.to - field.from < 4096)
      about[text] = await reader.text(field, `The ${text}`);
    else if (field.number === 7 && field.wire === 2) graphs++;
    else if (field.number === 8 && field.wire === 2) Object.assign(opsets, await pair(reader, field.from, field.to, 'ai.onnx'));
    else if (field.number === 14 && field.wire === 2) Object.assign(about, await pair(reader, field.from, field.to, ''));
  }
  if (graphs !== 1 || !(Number(about.ir_version) > 0))
    throw formatError(
      'HEADER_INVALID',
      reader.file.path,
      0,
      'This is not an ONNX model: it has no IR version, or not one graph.',
    );
  return { ...about, opsets };
}

/** {domain: version} or {key: value}. */
async function pair(reader: ProtoReader, from: number, to: number, fallback: string): Promise<Record<string, unknown>> {
  let [key, value]: [string, unknown] = [fallback, null];
  for (let at = from; at < to; ) {
    const field = reader.fieldAtHand(at, to) ?? (await reader.field(at, to));
    at = field.to;
    if (field.number === 1 && field.to > field.from) key = await reader.text(field, 'A name');
    else if (field.number === 2) value = field.wire === 0 ? field.value : await reader.text(field, 'A text');
  }
  return { [key]: value };
}

/** What lies beside the file, or one or two folders up: exporters put graphs into a folder `onnx` of the model's. */
async function folderOf(path: string): Promise<ModelFolder> {
  for (const way of ['.', '..', '../..']) {
    const folder = join(dirname(path), way);
    const names = await listFolder(folder).catch(() => new Set<string>());
    if (names.has('tokenizer.json') || names.has('config.json')) return readModelFolder(folder, names);
  }
  return { config: null, generation: null, tokenizer: null };
}
