import type { LayerSummary } from '../../server/protocol/models.js';
import { runSample } from './sample.js';
import { Empty } from './states.js';

interface Props {
  /** What the view shows of a run, as sentences. */
  readonly shows: string;
  /** Which layers have something to show. */
  fits(layer: LayerSummary): boolean;
}

/** A view of a run where there is none: what it would show, and the button that fills it. */
export const NoRun = ({ shows, fits }: Props) => (
  <Empty
    text={`${shows} Prompt a model in Prompt & Tokens, or:`}
    action={{ label: 'Prompt an embedded model', run: () => runSample(({ layers }) => layers.some(fits)) }}
  />
);
