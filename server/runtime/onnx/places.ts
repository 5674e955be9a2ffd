import { realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Checkpoint } from '../../formats/checkpoint.js';
import { bodiesOf } from '../../graph/onnx/captures.js';
import type { OnnxDocument } from '../../graph/onnx/document.js';
import type { Locate } from '../../graph/onnx/relocate.js';
import { type GraphProto, TensorProto_DataLocation } from '../../graph/onnx_pb.js';
import { commonAncestor } from '../weights.js';

/** Where sessions of a model find its files: a folder above them all, and what the model calls each of them, from there. */
export interface Places {
  readonly folder: string;
  readonly locate: Locate;
}

/** Real paths: ONNX Runtime refuses links that leave the folder, which those of the Hugging Face cache do. */
export async function placesOf({ path: model, files }: Checkpoint, document: OnnxDocument): Promise<Places> {
  const folder = commonAncestor(files.map((file) => file.path));
  const places = new Map<string, string>();
  for (const location of locationsOf(document.graph)) {
    const real = await realpath(path.join(path.dirname(model), location));
    places.set(location, path.relative(folder, real).replaceAll(path.sep, '/'));
  }
  return { folder, locate: (location) => places.get(location) ?? location };
}

function locationsOf(graph: GraphProto): Set<string> {
  const found = new Set<string>();
  for (const { dataLocation, externalData } of graph.initializer)
    if (dataLocation === TensorProto_DataLocation.EXTERNAL)
      for (const { key, value } of externalData) if (key === 'location') found.add(value);
  for (const node of graph.node)
    for (const body of bodiesOf(node)) for (const location of locationsOf(body.graph)) found.add(location);
  return found;
}
