import { access, realpath } from 'node:fs/promises';
import path from 'node:path';
import { openCheckpoint } from '../formats/registry.js';

/**
 * The path a checkpoint is known by: its real one, and for a weight file or shard of a Hugging Face folder that folder, so that a model
 * opened by either name is one model.
 */
export async function wholeModel(file: string): Promise<string> {
  const real = await realpath(file).catch(() => file);
  const folder = path.dirname(real);
  try {
    await access(path.join(folder, 'config.json'));
    const whole = await openCheckpoint(folder);
    return whole.files.some((part) => part.path === real) ? folder : real;
  } catch {
    return real; // it stands alone, or will say itself what is wrong with it
  }
}
