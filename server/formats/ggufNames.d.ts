import { type Declared } from './tensorTable.js';
/** The tensors under Hugging Face's names. Of an architecture without a table here they keep their names. */
export declare function canonicalTensors(
  declared: readonly Declared[],
  config: Readonly<Record<string, unknown>>,
  file: string,
): Declared[];
