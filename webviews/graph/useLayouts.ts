import { useRef } from 'preact/hooks';
import type { OutlinePart, SegmentGraph } from '../../server/protocol/graph.js';
import { ink } from '../charts/theme.js';
import { sizesShown } from './navigation.js';
import { type Measure, type SegmentInner, segmentInner } from './segmentBox.js';
import type { Segments } from './segments.js';

/** Layouts kept: more than are in sight, so that what is closed opens again at once. */
const KEPT = 500;

/** What is in a segment, laid out, by what that depends on: like blocks that are open alike share one layout. */
export function useLayouts(segments: Segments, isOpen: (id: string) => boolean, norms: boolean) {
  const known = useRef(new Map<string, SegmentInner>());
  return (part: OutlinePart, graph: SegmentGraph, id: string, measure: Measure) => {
    const tokens = segments.tokens(part);
    const groups = graph.groups.flatMap((_, g) => (isOpen(`${id}/g${g}`) ? [g] : []));
    const key = [
      part.structure,
      segments.shown(part),
      segments.sized(part),
      sizesShown.value,
      tokens,
      norms,
      ink.value.family,
      groups.join(),
    ].join('|');
    const found = known.current.get(key);
    if (found) return found;
    const look = { open: (inner: string) => isOpen(id + inner), sizes: sizesShown.value, tokens, norms, measure };
    const made = segmentInner(graph, look);
    known.current.set(key, made);
    const [oldest] = known.current.keys();
    if (known.current.size > KEPT && oldest !== undefined) known.current.delete(oldest);
    return made;
  };
}
