import type { Checkpoint } from './formats/checkpoint.js';
import { listProbes } from './graph/segment.js';
import { toLabError } from './protocol/errors.js';
import type { CheckpointSummary, TensorSummary } from './protocol/models.js';
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
  const { architecture, unsupported, layers, probes } = await runnable(checkpoint);
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
    metadata: checkpoint.metadata,
    tokenizer: await tokenizerSummary(checkpoint),
    tensors,
    layers,
    probes,
  };
}

type Runnable = Pick<CheckpointSummary, 'architecture' | 'unsupported' | 'layers' | 'probes'>;

async function runnable(checkpoint: Checkpoint): Promise<Runnable> {
  try {
    const bound = await bindCheckpoint(checkpoint);
    const layers = describeLayers(bound).map(({ attention, ...layer }) => layer);
    return { architecture: bound.architecture.id, unsupported: null, layers, probes: listProbes(bound) };
  } catch (error) {
    return { architecture: null, unsupported: toLabError(error).toData(), layers: [], probes: [] };
  }
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
