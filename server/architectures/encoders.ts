import type { Encoder, Towers } from '../graph/architecture.js';
import { ConfigReader } from '../graph/config.js';
import type { BoundStack } from '../graph/segment.js';
import type { TensorTable } from '../graph/segmentBuilder.js';
import { LabError } from '../protocol/errors.js';
import { bert } from './bert.js';
import { clip } from './clip.js';
import { dinov2, dinov2WithRegisters } from './dinov2.js';
import { roberta } from './roberta.js';
import { siglip } from './siglip.js';
import { vim } from './vim.js';
import { vit } from './vit.js';

/** Models of one pass. One line a family. */
export const encoders: readonly (Encoder | Towers)[] = [bert, roberta, vit, dinov2, dinov2WithRegisters, clip, siglip, vim];

type Raw = Readonly<Record<string, unknown>>;

/** One encoder under no prefix, or several, each under its own. */
export interface BoundEncoders {
  readonly id: string;
  readonly towers: ReadonlyMap<string, BoundStack>;
  /** What they say together; null for one alone. */
  readonly together: Pick<Towers, 'join' | 'pairs'> | null;
}

const noAnchor = (id: string, anchors: readonly string[]) =>
  new LabError({
    code: 'WEIGHT_MISSING',
    message: `The checkpoint has none of the tensors ${anchors.join(', ')}, which every ${id} has.`,
    hint: 'The file is incomplete, or its architecture is another one than its config says.',
  });

/** Families of one pass and the towers they are made of: what a config may name. */
export const namedEncoders: readonly (Encoder | Towers)[] = encoders.flatMap((family) =>
  'towers' in family ? [family, ...encodersOf(family)] : [family],
);

function encodersOf({ towers }: Towers): Encoder[] {
  return Object.values(towers).map(({ encoder }) => encoder);
}

/** The family a config names, `model_type` before `architectures`; null when it is no model of one pass. */
export function findEncoder(config: Raw | null): Encoder | Towers | null {
  const names = [config?.model_type, config?.architectures].flat();
  for (const name of names) {
    const family = namedEncoders.find((candidate) => candidate.names.includes(name as string));
    if (family) return family;
  }
  return null;
}

/** Finds the tensors of each encoder and reads its config. A model of towers that holds one only is that one. Errors: CONFIG_*, WEIGHT_MISSING. */
export function bindEncoders(family: Encoder | Towers, raw: Raw, tensors: TensorTable): BoundEncoders {
  const config = new ConfigReader(raw);
  if (!('towers' in family)) return { id: family.id, towers: new Map([['', bind(family, config, tensors)]]), together: null };
  const present = Object.entries(family.towers).filter(([, { encoder }]) => prefixOf(encoder, tensors) !== null);
  if (present.length === 0) throw noAnchor(family.id, encodersOf(family).flatMap(anchorsOf));
  const bound = present.map(([name, { key, encoder }]) => [name, bind(encoder, config.part(key), tensors)] as const);
  if (bound.length < Object.keys(family.towers).length)
    return { id: family.id, towers: new Map(bound.map(([, tower]) => ['', tower])), together: null };
  return { id: family.id, towers: new Map(bound), together: family };
}

function bind(encoder: Encoder, config: ConfigReader, tensors: TensorTable): BoundStack {
  const prefix = prefixOf(encoder, tensors);
  if (prefix === null) throw noAnchor(encoder.id, anchorsOf(encoder));
  return { architecture: encoder, config: encoder.config(config, tensors), tensors, prefix };
}

const anchorsOf = ({ prefixes, anchor }: Encoder): string[] =>
  prefixes.flatMap((prefix) => [anchor].flat().map((name) => prefix + name));

const prefixOf = ({ prefixes, anchor }: Encoder, tensors: TensorTable): string | null =>
  prefixes.find((prefix) => [anchor].flat().some((name) => tensors.shape(prefix + name) !== null)) ?? null;
