import { useEffect, useState } from 'preact/hooks';
import type { AttentionEdge } from '../../server/protocol/attention.js';
import type { LabErrorData } from '../../server/protocol/errors.js';
import { errorData, type Progress, request, server } from '../host.js';

/** Edges kept over all layers: as many as can be told apart over the strip. */
const MOST = 20;

export interface LayerEdge extends AttentionEdge {
  readonly layer: number;
}

export interface Edges {
  /** Heaviest first, of the layers that are done. */
  readonly edges: readonly LayerEdge[];
  readonly done: number;
  readonly total: number;
  /** How far the layer at hand is. */
  readonly progress: Progress | null;
  readonly error: LabErrorData | null;
}

const nothing: Edges = { edges: [], done: 0, total: 0, progress: null, error: null };

/** The heaviest weights over all heads of some layers, which come layer by layer; null asks for nothing. */
export function useEdges(run: string, count: number, layers: readonly number[] | null): Edges {
  const [found, setFound] = useState<Edges>(nothing);
  const ready = server.value === 'ready';
  useEffect(() => {
    if (layers === null || !ready) return setFound(nothing);
    const controller = new AbortController();
    void collect(run, count, layers, controller.signal, setFound);
    return () => controller.abort();
  }, [run, count, JSON.stringify(layers), ready]);
  return found;
}

async function collect(
  run: string,
  count: number,
  layers: readonly number[],
  signal: AbortSignal,
  tell: (edges: Edges) => void,
): Promise<void> {
  let known: Edges = { ...nothing, total: layers.length };
  const say = (change: Partial<Edges>) => {
    known = { ...known, ...change };
    if (!signal.aborted) tell(known);
  };
  say({});
  try {
    for (const layer of layers) {
      const progress = (told: Progress) => say({ progress: told });
      const { edges } = await request('attention/edges', { run, layer, count, most: MOST }, { signal, progress });
      const all = [...known.edges, ...edges.map((edge) => ({ ...edge, layer }))];
      say({ edges: all.sort((a, b) => b.weight - a.weight).slice(0, MOST), done: known.done + 1, progress: null });
    }
  } catch (error) {
    say({ error: errorData(error), progress: null });
  }
}
