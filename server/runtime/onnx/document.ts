import type { Checkpoint } from '../../formats/checkpoint.js';
import { readOnnxSkeleton } from '../../formats/onnxSkeleton.js';
import { OnnxDocument } from '../../graph/onnx/document.js';

/** The graph of an .onnx file; its big weights stay where they are. Errors: those of the format, ONNX_INVALID. */
export const readDocument = async ({ path }: Pick<Checkpoint, 'path'>): Promise<OnnxDocument> =>
  OnnxDocument.parse(await readOnnxSkeleton(path));
