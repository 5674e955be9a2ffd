import { LabError } from '../../protocol/errors.js';

/** A graph that contradicts itself. */
export const invalidGraph = (message: string, cause?: unknown) =>
  new LabError(
    {
      code: 'ONNX_INVALID',
      message,
      hint: 'Check the model with onnx.checker.check_model, or export it again.',
    },
    { cause },
  );

export const unknownValue = (name: string) =>
  new LabError({
    code: 'PROBE_UNKNOWN',
    message: `The graph has no value ${name}.`,
    hint: 'inspect lists every value that can be a probe.',
  });

/** A value that exists and cannot be an output, with the reason. */
export const unreachable = (name: string, why: string) =>
  new LabError({
    code: 'PROBE_UNREACHABLE',
    message: `${name} cannot be read: ${why}.`,
    hint: 'Probe what goes into or comes out of it.',
  });
