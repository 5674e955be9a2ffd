import type { Checkpoint } from '../formats/checkpoint.js';
import type { Fit, FitWanted, MeasuredParts } from '../protocol/fit.js';
import type { Device } from '../runtime/device.js';
import { type FitOptions, predictFit } from './fit.js';
import { measureGraphParts, predictGraphFit } from './fitGraph.js';
import { type MeasureOptions, measureParts } from './measureParts.js';

/** Memory and speed of whatever is run: of a graph from its nodes, of weights from the graph that is built of them. Errors: those of both. */
export const predictAny = (checkpoint: Checkpoint, options: FitOptions & { readonly device: Device }): Promise<Fit> =>
  checkpoint.format === 'onnx' ? predictGraphFit(checkpoint, options) : predictFit(checkpoint, options);

/** The same, measured part by part. */
export const measureAny = (checkpoint: Checkpoint, wanted: FitWanted, options: MeasureOptions): Promise<MeasuredParts> =>
  checkpoint.format === 'onnx' ? measureGraphParts(checkpoint, wanted, options) : measureParts(checkpoint, wanted, options);
