import { LabError } from '../protocol/errors.js';
import { modelExtensions } from '../protocol/models.js';

const endings = modelExtensions.map((extension) => `.${extension}`).join(', ');

/** Every way a checkpoint can be wrong, with what to do about it. */
const hints = {
  FILE_NOT_FOUND: 'Check the path; a model that was moved has to be opened again from its new place.',
  FILE_UNREADABLE: 'Check that it is a regular file or folder and that you may read it.',
  FILE_UNWRITABLE: 'Check that the folder exists, that you may write to it and that the disk has room.',
  FORMAT_UNKNOWN: `Open a Hugging Face folder, or a file that ends in ${endings} or, if torch.save wrote it, .bin.`,
  HEADER_TRUNCATED: 'The file ends early: download or copy it again.',
  HEADER_TOO_BIG: 'No real header is this big: the file is damaged or is not what its name says.',
  HEADER_INVALID: 'The header is damaged: download the file again or write it again with the library that made it.',
  UTF8_INVALID: 'The text is damaged or not UTF-8: download the file again or save it as UTF-8.',
  NAME_DUPLICATE: 'Names must be unique, or it would be a matter of luck which one is read: write the file again.',
  DTYPE_UNKNOWN: 'Convert the weights to F32, F16, BF16 or a GGML type that the error does not name.',
  DTYPE_UNDECODABLE:
    'The header can be inspected, but to read values convert the weights to F16, Q8_0, Q4_K or another type listed in the documentation.',
  SHAPE_INVALID: 'The header is damaged or hostile: download the file again.',
  SIZE_MISMATCH: 'Shape, dtype and byte range contradict each other: download the file again or write it again.',
  OFFSET_INVALID: 'The tensor points outside the data: the file was cut short or its header is damaged. Download it again.',
  TENSOR_OVERLAP: 'Two tensors claim the same bytes: the header is damaged. Download the file again.',
  TENSOR_MISSING: 'The file is incomplete: download it again, or save all tensors of the model.',
  TENSOR_TOO_BIG: 'Read it by rows.',
  TENSOR_UNKNOWN: 'Pick a name from the tensor list of the model.',
  ROWS_INVALID: 'Ask for rows inside the tensor.',
  SHARD_MISSING: 'Download the missing file into the same folder.',
  INDEX_INVALID: 'Download the index (…index.json) again; it must belong to these shards.',
  CONFIG_INVALID: 'Correct the value in config.json, or download it again from where the model came.',
  TOKENIZER_INVALID: 'Download tokenizer_config.json and the chat template again.',
  GGUF_VERSION: 'Convert the model again with a current llama.cpp: little-endian GGUF version 2 or 3.',
  GGUF_SPLIT: 'Keep the parts of one model in one folder under the names llama-gguf-split gave them: NAME-00001-of-00003.gguf.',
  METADATA_INVALID: 'The metadata is damaged: download the file again or convert the model again.',
  METADATA_TOO_BIG: 'No real model has this much metadata: the file is damaged or hostile.',
  METADATA_TOO_DEEP: 'No real model nests arrays this deep: the file is damaged or hostile.',
  ZIP_INVALID: 'The archive is damaged: download the file again.',
  ZIP_COMPRESSED:
    'torch.save and numpy.savez store tensors uncompressed: unpack this archive and save it again with one of them.',
  PICKLE_FORBIDDEN: 'Nothing was executed. A checkpoint needs tensors and dictionaries only: ask its author for .safetensors.',
  PICKLE_INVALID: 'The pickle is damaged: download the file again.',
  PICKLE_TOO_BIG: 'No real state dict needs this much pickle: the file is damaged or hostile.',
  EXTERNAL_INVALID:
    'Weights beside an ONNX model are named by a path below its folder: save the model again with onnx.save_model.',
  ORDER_UNSUPPORTED: 'Save it row by row: numpy.save(path, numpy.ascontiguousarray(x)).',
  PTH_LEGACY: 'Load it with PyTorch and save it again: torch.save(torch.load(path, weights_only=True), new_path).',
  PTH_UNSUPPORTED: 'Save a flat dictionary of contiguous tensors: {name: tensor.contiguous()}.',
} as const;

export type FormatErrorCode = keyof typeof hints;

/** An error about a model file; `offset` is absolute, in bytes, null when the error is about the file as a whole. */
export const formatError = (code: FormatErrorCode, file: string, offset: number | null, message: string): LabError =>
  new LabError({ code, message, hint: hints[code], file, ...(offset !== null && { offset }) });
