import { findEncoder } from '../architectures/encoders.js';
import type { Checkpoint } from '../formats/checkpoint.js';
import { EncoderModel } from './encoder.js';
import { encoderShape } from './encoderShape.js';
import type { Forward, ForwardShape } from './forward.js';
import type { ModelOptions } from './model.js';
import { OnnxForward } from './onnx/forward.js';

/** Checkpoints that are run in one pass, and how they open. */
export interface ForwardKind {
  matches(checkpoint: Checkpoint): boolean;
  /** Reads no weights. Errors: those of binding. */
  describe(checkpoint: Checkpoint): Promise<ForwardShape>;
  open(checkpoint: Checkpoint, options: ModelOptions): Promise<Forward>;
}

const onnx: ForwardKind = {
  matches: ({ format }) => format === 'onnx',
  describe: OnnxForward.describe,
  open: (checkpoint, options) => OnnxForward.open(checkpoint, options),
};

const encoders: ForwardKind = {
  matches: ({ config }) => findEncoder(config) !== null,
  describe: async (checkpoint) => encoderShape(checkpoint),
  open: EncoderModel.open,
};

/** One line a kind. What none of them matches is a sequence model. */
export const forwards: readonly ForwardKind[] = [
  onnx, //
  encoders,
];

export const forwardKind = (checkpoint: Checkpoint): ForwardKind | null =>
  forwards.find(({ matches }) => matches(checkpoint)) ?? null;
