import { ConfigReader } from '../../graph/config.js';
import type { TensorTable } from '../../graph/segmentBuilder.js';
import type { Inference } from '../../protocol/models.js';
import { BLOCKS, EMBEDDINGS } from './names.js';

type Shape = readonly number[];

/** A tensor by its name in a block or beside the blocks. */
export interface Found {
  /** Below the block's prefix, or the model's. */
  readonly name: string;
  readonly shape: Shape;
}

/** What lies on the table when a family is unknown, and what has been concluded from it so far. */
export class Evidence {
  readonly config: ConfigReader;
  /** Of every tensor of the decoder, e.g. `model.`. */
  readonly prefix: string;
  /** `layers`, `h`, `blocks`. */
  readonly blocks: string;
  readonly layers: number;
  readonly inferences: Inference[] = [];
  /** What is missing or contradictory. */
  readonly problems: string[] = [];
  /** Keys of the config that a rule has read or knows not to matter. */
  readonly read = new Set<string>();
  readonly #ofBlocks = new Map<string, Found & { readonly block: number }>();

  constructor(
    raw: Readonly<Record<string, unknown>>,
    readonly tensors: TensorTable,
    /** What the config calls the model, for those who know it by name. */
    readonly names: readonly string[],
  ) {
    this.config = new ConfigReader(raw);
    const stored = [...(tensors.names?.() ?? [])];
    const found = mostBlocks(stored);
    this.prefix = found?.prefix ?? '';
    this.blocks = found?.blocks ?? '';
    this.layers = found?.layers ?? 0;
    const start = `${this.prefix}${this.blocks}.`;
    for (const name of stored) {
      if (!name.startsWith(start)) continue;
      const [block = '', ...rest] = name.slice(start.length).split('.');
      const inner = rest.join('.');
      if (!this.#ofBlocks.has(inner))
        this.#ofBlocks.set(inner, { name: inner, block: Number(block), shape: tensors.shape(name) as Shape });
    }
  }

  say(what: string, because: string): void {
    this.inferences.push({ what, because, assumed: false });
  }

  /** Nothing in the files says so, or otherwise; `otherwise`: what would. */
  assume(what: string, because: string, otherwise?: Inference['otherwise']): void {
    this.inferences.push({ what, because, assumed: true, ...(otherwise && { otherwise }) });
  }

  problem(text: string): void {
    if (!this.problems.includes(text)) this.problems.push(text);
  }

  /** Names of tensors below a block. */
  get inner(): readonly string[] {
    return [...this.#ofBlocks.keys()];
  }

  /** The first of these names that any block has, its shape there. */
  inBlock(names: readonly string[]): Found | null {
    return names.map((name) => this.#ofBlocks.get(name)).find((found) => found !== undefined) ?? null;
  }

  /** The first of these names that stands beside the blocks, under the model's prefix or at the top. */
  beside(names: readonly string[], prefix = this.prefix): Found | null {
    for (const name of names) {
      const shape = this.tensors.shape(prefix + name);
      if (shape) return { name, shape };
    }
    return null;
  }

  /** A key of the config in any of its spellings, and which one it was. */
  value(...keys: readonly string[]): { readonly key: string; readonly value: unknown } | null {
    for (const key of keys) this.read.add(key);
    const told = keys.map((key) => ({ key, value: this.config.value(key) })).filter(({ value }) => value !== null);
    const [first, ...others] = told;
    const other = others.find(({ value }) => JSON.stringify(value) !== JSON.stringify(first?.value));
    if (first && other)
      this.problem(`${first.key} is ${JSON.stringify(first.value)}, but ${other.key} is ${JSON.stringify(other.value)}`);
    return first ?? null;
  }

  number(...keys: readonly string[]): { readonly key: string; readonly value: number } | null {
    const found = this.value(...keys);
    if (!found) return null;
    if (typeof found.value === 'number' && Number.isFinite(found.value)) return { key: found.key, value: found.value };
    this.problem(`${found.key} is ${JSON.stringify(found.value)}, expected a number`);
    return null;
  }

  flag(key: string): boolean | null {
    const value = this.value(key)?.value;
    if (value === undefined || typeof value === 'boolean') return value ?? null;
    this.problem(`${key} is ${JSON.stringify(value)}, expected true or false`);
    return null;
  }

  isNamed = (names: readonly string[]): boolean => names.some((name) => this.names.includes(name));
}

/** The longest list of blocks beside which there is an embedding. */
function mostBlocks(names: readonly string[]): { prefix: string; blocks: string; layers: number } | null {
  const lists = new Map<string, { prefix: string; blocks: string; ids: Set<number> }>();
  for (const name of names) {
    const [, prefix, blocks, id] = BLOCKS.exec(name) ?? [];
    if (prefix === undefined || blocks === undefined) continue;
    const list = lists.get(prefix + blocks) ?? { prefix, blocks, ids: new Set<number>() };
    list.ids.add(Number(id));
    lists.set(prefix + blocks, list);
  }
  const all = new Set(names);
  const decoders = [...lists.values()].filter(({ prefix }) => EMBEDDINGS.some((name) => all.has(prefix + name)));
  const [best] = decoders.sort((a, b) => b.ids.size - a.ids.size);
  return best ? { ...best, layers: Math.max(...best.ids) + 1 } : null;
}
