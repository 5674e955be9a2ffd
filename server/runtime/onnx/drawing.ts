import { stat } from 'node:fs/promises';
import type { Checkpoint } from '../../formats/checkpoint.js';
import { type GraphBlocks, graphBlocks } from '../../graph/onnx/blocks.js';
import type { OnnxDocument } from '../../graph/onnx/document.js';
import { GraphDrawing } from '../../graph/onnx/drawing.js';
import { tokenGraphOf, tokenInputsOf } from '../../graph/onnx/tokenGraph.js';
import type { GraphPart } from '../../protocol/graph.js';
import { OnceByKey } from '../../protocol/once.js';
import type { Device } from '../device.js';
import { readDocument } from './document.js';
import { blockNames, endNames } from './names.js';
import { type GraphSizes, graphSizes } from './sizes.js';

/** A graph from a file, ready to be told part by part. */
export interface DrawnGraph {
  readonly document: OnnxDocument;
  readonly drawing: GraphDrawing;
  readonly blocks: GraphBlocks;
  /** Why sizes are only those that the file declares; null when all of them were inferred. */
  readonly declaredOnly: string | null;
}

const KEPT = 4;
/** Files whose sizes were inferred. */
const known = new OnceByKey<DrawnGraph>(KEPT);

/** Reads no weights; infers sizes the first time that a file is looked at. Errors: those of the format, ONNX_INVALID. */
export async function drawnGraph(checkpoint: Checkpoint, device: Device): Promise<DrawnGraph> {
  const { mtimeMs, size } = await stat(checkpoint.path);
  return known.get(`${checkpoint.path} ${mtimeMs} ${size}`, () => draw(checkpoint, device));
}

async function draw(checkpoint: Checkpoint, device: Device): Promise<DrawnGraph> {
  const document = await readDocument(checkpoint);
  const tokens = tokenGraphOf(document);
  const blocks = graphBlocks(document, 'reason' in tokens ? null : tokens);
  const { values, declaredOnly } = await graphSizes(document, device);
  return { document, drawing: drawingOf(document, blocks, values), blocks, declaredOnly };
}

/** The same graph with the sizes of one call. */
export const drawnAt = ({ document, blocks }: DrawnGraph, sizes: GraphSizes['values']): GraphDrawing =>
  drawingOf(document, blocks, sizes);

function drawingOf(document: OnnxDocument, blocks: GraphBlocks, sizes: GraphSizes['values']): GraphDrawing {
  const words = tokenInputsOf(document);
  return new GraphDrawing({
    document,
    blocks,
    sizes,
    states: stateNames(document, blocks),
    tokens: 'reason' in words ? null : words.ids.name,
    names: (part) => namesOf(part, blocks, document),
  });
}

/** Inputs and outputs that a call leaves to the next: `k` and `v` of the block that keeps them, their own names else. */
function stateNames(document: OnnxDocument, { blocks }: GraphBlocks): Map<string, string> {
  const words = tokenInputsOf(document);
  const names = new Map<string, string>();
  if ('reason' in words) return names;
  for (const { input, output } of words.states) for (const name of [input, output]) names.set(name, input);
  for (const { cache } of blocks)
    for (const [short, state] of Object.entries(cache))
      if (state) for (const name of [state.input, state.output]) names.set(name, short);
  return names;
}

function namesOf(part: GraphPart, blocks: GraphBlocks, { outputs }: OnnxDocument): Map<string, string> {
  if (typeof part === 'number') {
    const block = blocks.blocks[part];
    return new Map([...(block ? blockNames(block, true) : [])].map(([short, { value }]) => [`blocks.${part}.${short}`, value]));
  }
  const ends = [...endNames(blocks)].map(([name, { value }]) => [name, value] as const);
  return new Map([...ends, ...(outputs.includes('logits') ? [['logits', 'logits'] as const] : [])]);
}
