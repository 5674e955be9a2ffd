import { formatError } from './errors.js';
import { readStoredTensor, type StoredTensor } from './onnxTensor.js';
import type { ProtoField, ProtoReader } from './protoReader.js';

/** Messages of onnx.proto that may hold tensors, with the fields to look into. */
const messages = {
  model: { 7: 'graph', 20: 'training', 25: 'function' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' },
  sparse: { 1: 'tensor', 2: 'tensor' },
  function: { 7: 'node', 11: 'attribute' },
  training: { 1: 'graph', 2: 'graph' },
  tensor: {},
} as const satisfies Record<string, Readonly<Record<number, string>>>;

type Kind = keyof typeof messages;

/** Which field names the message, for the names of what lies inside: a node goes by its first output. */
const naming: Readonly<Partial<Record<Kind, number>>> = { node: 2, attribute: 1, function: 1 };

/** Messages inside messages, three for each graph inside another; exporters nest two or three graphs. */
const maxDepth = 48;

/** A tensor and the messages it lies in, outermost first. */
export interface FoundTensor {
  readonly tensor: StoredTensor;
  readonly path: readonly { readonly kind: Kind; readonly name: string }[];
}

/** Every tensor of a ModelProto, at any depth, in the order of the file. Throws HEADER_*, METADATA_*, those of tensors. */
export async function eachTensor(reader: ProtoReader, visit: (found: FoundTensor) => void): Promise<void> {
  const walk = async (kind: Kind, { from, to }: Pick<ProtoField, 'from' | 'to'>, path: FoundTensor['path']): Promise<void> => {
    if (path.length > maxDepth)
      throw formatError('METADATA_TOO_DEEP', reader.file.path, from, `Messages are nested deeper than ${maxDepth}.`);
    const inside: (readonly [Kind, ProtoField])[] = [];
    let named: ProtoField | null = null;
    for (let at = from; at < to; ) {
      const field = reader.fieldAtHand(at, to) ?? (await reader.field(at, to));
      at = field.to;
      if (field.number === naming[kind] && field.wire === 2) named ??= field;
      const child = (messages[kind] as Readonly<Record<number, Kind>>)[field.number];
      if (child !== undefined && field.wire === 2) inside.push([child, field]);
    }
    if (inside.length === 0) return;
    const here = [...path, { kind, name: named ? await reader.text(named, 'A name') : '' }];
    for (const [child, field] of inside) {
      if (child === 'tensor') visit({ tensor: await readStoredTensor(reader, field), path: here });
      else await walk(child, field, here);
    }
  };
  await walk('model', { from: 0, to: reader.file.bytes }, []);
}
