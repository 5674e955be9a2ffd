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
        const own = read.get(name) as HostTensor;
        // a value of the graph itself has its batch: one text
        const dims = this.named.has(name) || own.dims.length < 2 || own.dims[0] !== 1 ? own.dims : own.dims.slice(1);
        const tensor = { shape: dims, data: floatsOf(own) };
        const axis = this.#axisOf(name, dims);
        return [
          name,
          axis === null || range.to - range.from === this.count ? tensor : sliceAxis(tensor, axis, range.from, range.to),
        ];
      }),
    );
  };

  /** Where the tokens are: in a value of the graph the first axis of their number; null for one that has none. */
  #axisOf(name: string, dims: readonly number[]): number | null {
    const how = this.named.get(name);
    if (!how) return dims.includes(this.count) ? dims.indexOf(this.count) : null;
    return how.layout === 'tokens' || how.layout === 'steps' || how.layout === 'byToken' || /\.z$/.test(name) ? 0 : 1;
  }
}
