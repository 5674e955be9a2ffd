import type { Checkpoint } from './formats/checkpoint.js';
import { foldBlocks, listProbes } from './graph/segment.js';
import { toLabError } from './protocol/errors.js';
import type { CheckpointSummary, TensorSummary } from './protocol/models.js';
import type { ForwardShape } from './runtime/forward.js';
import { forwardKind } from './runtime/forwards.js';
import { describeLayers } from './runtime/layers.js';
import { bindCheckpoint, parameterCount } from './runtime/model.js';
import { createTokenizer } from './tokenizer/registry.js';

export const tensorSummaries = (checkpoint: Checkpoint): TensorSummary[] =>
  [...checkpoint.tensors.values()].map(({ name, dtype, shape, bytes, file, offset }) => ({
    name,
    dtype,
    shape,
    bytes,
    file,
    offset,
  }));

/** What a checkpoint's headers say. Reads no weights; what cannot run says why instead of failing. */
export async function summarise(checkpoint: Checkpoint): Promise<CheckpointSummary> {
  const tensors = tensorSummaries(checkpoint);
  const { architecture, unsupported, about, ...shape } = await runnable(checkpoint);
  return {
    path: checkpoint.path,
    name: checkpoint.name,
    format: checkpoint.format,
    files: checkpoint.files,
    architecture,
    unsupported,
    parameters: parameterCount(checkpoint),
    bytes: tensors.reduce((sum, t) => sum + t.bytes, 0),
    config: checkpoint.config,
    metadata: { ...checkpoint.metadata, ...about },
    tokenizer: await tokenizerSummary(checkpoint),
    tensors,
    ...shape,
  };
}

type Runnable = Pick<
  CheckpointSummary,
  'architecture' | 'inferred' | 'unsupported' | 'layers' | 'inputs' | 'outputs' | 'probes'
> &
  Pick<ForwardShape, 'about'>;

async function runnable(checkpoint: Checkpoint): Promise<Runnable> {
  try {
    const kind = forwardKind(checkpoint);
    const shape = await (kind ? kind.describe(checkpoint) : sequenceShape(checkpoint));
    return {
      architecture: shape.family,
      ...(shape.inferred && { inferred: shape.inferred }),
      unsupported: null,
      layers: shape.layers.map(({ attention, ...layer }) => layer),
      inputs: shape.inputs.map(({ name, dtype, shape, optional }) => ({ name, dtype, shape, optional })),
      outputs: shape.outputs,
      probes: foldBlocks(shape.probes),
      ...(shape.about && { about: shape.about }),
    };
  } catch (error) {
    return { architecture: null, unsupported: toLabError(error).toData(), layers: [], inputs: [], outputs: [], probes: [] };
  }
}

/** What a language model is given and says. */
async function sequenceShape(checkpoint: Checkpoint): Promise<ForwardShape> {
  const bound = await bindCheckpoint(checkpoint);
  return {
    family: bound.architecture.id,
    ...(bound.architecture.inferred && { inferred: bound.architecture.inferred }),
    layers: describeLayers(bound),
    inputs: [{ name: 'input_ids', dtype: 'int64', shape: ['T'], optional: false }],
    outputs: ['logits'],
    probes: listProbes(bound),
  };
}

async function tokenizerSummary(checkpoint: Checkpoint): Promise<CheckpointSummary['tokenizer']> {
  if (!checkpoint.tokenizer) return null;
  try {
    const { kind, vocabSize } = await createTokenizer(checkpoint.tokenizer);
    return { kind, vocabSize };
  } catch (error) {
    return { kind: `unusable: ${toLabError(error).message}`, vocabSize: 0 };
  }
}
