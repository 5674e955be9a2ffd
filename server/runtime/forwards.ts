import { findEncoder } from '../architectures/encoders.js';
import type { Checkpoint } from '../formats/checkpoint.js';
import { EncoderModel } from './encoder.js';
import type { Forward } from './forward.js';
import type { ModelOptions } from './model.js';
import { OnnxForward } from './onnx/forward.js';

/** Checkpoints that are run in one pass, and how they open. */
export interface ForwardKind {
  matches(checkpoint: Checkpoint): boolean;
  open(checkpoint: Checkpoint, options: ModelOptions): Promise<Forward>;
}

/** One line a kind. What none of them matches is a sequence model. */
export const forwards: readonly ForwardKind[] = [
  { matches: ({ format }) => format === 'onnx', open: (checkpoint, options) => OnnxForward.open(checkpoint, options) },
  { matches: ({ config }) => findEncoder(config) !== null, open: EncoderModel.open },
];
