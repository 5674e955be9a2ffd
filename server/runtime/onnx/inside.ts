import { floatsOf, type HostTensor } from '../elements.js';
import type { Inside, Pass } from '../forward.js';
import { sliceAxis } from '../slices.js';
import type { GraphLayer } from './measure.js';
import type { NamedValue } from './names.js';

/** The blocks of a graph that read the words of one text in one pass. */
export class OnnxInside implements Inside {
  /** They are words of a text. */
  labels = () => null;
  readonly patchSides = null;
  /** Every look computes again. */
  readonly bytes = 0;

  constructor(
    readonly layers: readonly GraphLayer[],
    private readonly named: ReadonlyMap<string, NamedValue>,
    private readonly count: number,
    private readonly read: Pass['read'],
  ) {}

  tokens = async () => this.count;

  probes: Inside['probes'] = async (names, { range = { from: 0, to: this.count }, signal } = {}) => {
    const read = await this.read(names, signal);
    return new Map(
      names.map((name) => {
        const { dims, data } = read.get(name) as HostTensor;
        const tensor = { shape: dims, data: floatsOf({ ...(read.get(name) as HostTensor), data }) };
        const axis = this.#axisOf(name);
        return [
          name,
          axis === null || range.to - range.from === this.count ? tensor : sliceAxis(tensor, axis, range.from, range.to),
        ];
      }),
    );
  };

  /** Where the tokens are; null for a value of the graph, which stays whole. */
  #axisOf(name: string): number | null {
    const how = this.named.get(name);
    if (!how) return null;
    return how.layout === 'tokens' || how.layout === 'steps' || how.layout === 'byToken' || /\.z$/.test(name) ? 0 : 1;
  }
}
