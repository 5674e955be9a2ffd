import { basename, dirname } from 'node:path';
import type { Checkpoint } from './checkpoint.js';

export type Keys = Readonly<Record<string, unknown>>;

/** What a person says of checkpoints, by path or name; the empty name: of every one. */
const told = new Map<string, Keys>();

/** From now on these keys stand in the config of the checkpoint over what the file says, until others are told. */
export function tell(name: string, keys: Keys): void {
  if (Object.keys(keys).length > 0) told.set(name, keys);
  else told.delete(name);
}

/** Keys told of a checkpoint: of every one, of those of this name, of this path; a weight file and its folder are one. */
export function toldOf(path: string, name = basename(path)): Keys {
  const means = (key: string) => ['', name, path, dirname(path)].includes(key) || dirname(key) === path;
  return Object.assign({}, ...[...told].map(([key, keys]) => (means(key) ? keys : {})));
}

/** The checkpoint with what was told of it. */
export function withTold(checkpoint: Checkpoint): Checkpoint {
  const keys = toldOf(checkpoint.path, checkpoint.name);
  return Object.keys(keys).length === 0 ? checkpoint : { ...checkpoint, config: { ...checkpoint.config, ...keys } };
}
