import type { GraphPart } from '../protocol/graph.js';
import { type BoundStack, buildSegment, type Segment } from './segment.js';

/** What a segment can be built of. */
export type BuiltPart = Exclude<GraphPart, 'graph'>;

/** embed, blocks in order, head. */
export const partsOf = ({ config }: BoundStack): BuiltPart[] => [
  'embed',
  ...Array.from({ length: config.layers }, (_, i) => i),
  'head',
];

/** `queries`: how many a block of attention reads at a time; null spells all of it out. */
export function segmentOf(bound: BoundStack, part: BuiltPart, queries: number | null = null): Segment {
  const { layers } = bound.config;
  if (part === 'embed') return buildSegment(bound, { from: 0, to: 0, embed: true, head: false });
  if (part === 'head') return buildSegment(bound, { from: layers, to: layers, embed: false, head: true });
  const block = { from: part, to: part + 1, embed: false, head: false };
  return buildSegment(bound, queries === null ? block : { ...block, queries });
}
