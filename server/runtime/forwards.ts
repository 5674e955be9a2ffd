import { findEncoder } from '../architectures/encoders.js';
import type { Checkpoint } from '../formats/checkpoint.js';
import { EncoderModel } from './encoder.js';
import { encoderShape } from './encoderShape.js';
import type { Forward, InputSpec } from './forward.js';
import { describeLayers } from './layers.js';
import type { ModelOptions } from './model.js';
import { OnnxForward } from './onnx/forward.js';
import type { LayerView } from './view.js';

/** What the headers of a model of one pass say. */
export interface ForwardShape {
  readonly family: string;
  /** Of all towers, one after the other. */
  readonly layers: readonly LayerView[];
  readonly inputs: readonly InputSpec[];
  readonly outputs: readonly string[];
  readonly probes: readonly string[];
  /** What else the file says of itself, for the metadata. */
  readonly about?: Readonly<Record<string, unknown>>;
}

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
  describe: async (checkpoint) => {
    const { towers, ...shape } = encoderShape(checkpoint);
    return { ...shape, layers: [...towers].flatMap(([tower, { bound }]) => describeLayers(bound, tower)) };
  },
  open: EncoderModel.open,
};

/** One line a kind. What none of them matches is a sequence model. */
export const forwards: readonly ForwardKind[] = [
  onnx, //
  encoders,
];

export const forwardKind = (checkpoint: Checkpoint): ForwardKind | null =>
  forwards.find(({ matches }) => matches(checkpoint)) ?? null;
