import { findEncoder } from '../architectures/encoders.js';
import type { Checkpoint } from '../formats/checkpoint.js';
import type { BoundStack } from '../graph/segment.js';
import { LabError } from '../protocol/errors.js';
import type { Inference } from '../protocol/models.js';
import { bindCheckpointEncoders } from './encoderShape.js';
import { bindCheckpoint } from './model.js';

export interface BoundStacks {
  /** Of the family. */
  readonly id: string;
  readonly inferred?: readonly Inference[];
  /** By tower; a model of one stack has it under no name. */
  readonly stacks: ReadonlyMap<string, BoundStack>;
}

const fromFile = ({ name }: Checkpoint) =>
  new LabError({
    code: 'GRAPH_FROM_FILE',
    message: `${name} is a graph of its own; this is told only of models that are built from weights.`,
    hint: 'Open the checkpoint that it was exported from.',
  });

/** The stacks of blocks of a checkpoint, whether it generates or encodes. Reads no weights. Errors: CONFIG_*, ARCHITECTURE_UNKNOWN, WEIGHT_*, GRAPH_FROM_FILE. */
export async function bindStacks(checkpoint: Checkpoint): Promise<BoundStacks> {
  if (checkpoint.format === 'onnx') throw fromFile(checkpoint);
  if (findEncoder(checkpoint.config)) {
    const { id, towers } = bindCheckpointEncoders(checkpoint);
    return { id, stacks: towers };
  }
  const bound = await bindCheckpoint(checkpoint);
  const { id, inferred } = bound.architecture;
  return { id, ...(inferred && { inferred }), stacks: new Map([['', bound]]) };
}
