import type { CacheLayer, CacheOverview } from '../../server/protocol/inspect.js';
import { Bars } from '../charts/bars.js';
import { bytes, many } from '../charts/numbers.js';

export interface OverviewProps {
  readonly overview: CacheOverview;
  readonly layer: number;
  onLayer(layer: number): void;
}

/** Bytes in each layer; the bar's length is its share of the largest. */
export function BytesByLayer({ overview, layer, onLayer }: OverviewProps) {
  const { layers } = overview;
  return (
    <Bars
      label="Bytes of the cache by layer"
      bars={layers.map((item) => ({
        label: String(item.layer),
        value: item.bytes,
        text: bytes(item.bytes),
        title: `layer ${item.layer}: ${kept(item)}, ${bytes(item.bytesPerToken)} a token`,
      }))}
      selected={layers.findIndex((item) => item.layer === layer)}
      onSelect={(index) => {
        const chosen = layers[index];
        if (chosen) onLayer(chosen.layer);
      }}
    />
  );
}

export const kept = ({ kept: positions, first, window, chunk }: CacheLayer): string => {
  const from = first > 0 ? `, from token ${first} on` : '';
  if (chunk !== null) return `${places(positions)} of a chunk of ${chunk} tokens${from}`;
  return window === null ? `${places(positions)}, all kept` : `${places(positions)} in a window of ${window} tokens${from}`;
};

const places = (count: number): string => many(count, 'position');

/** Used and allocated bytes, and how fast it fills. */
export function Budget({ overview, tokens }: { readonly overview: CacheOverview; readonly tokens: number }) {
  const { bytes: used, capacityBytes, bytesPerToken, layers } = overview;
  const windowed = layers.filter(({ window }) => window !== null).length;
  const chunked = layers.filter(({ chunk }) => chunk !== null).length;
  const share = capacityBytes > 0 ? Math.min(1, used / capacityBytes) : 0;
  return (
    <div class="budget">
      <span>
        <strong>{bytes(used)}</strong> of {bytes(capacityBytes)} allocated
      </span>
      <meter class="budget-bar" min={0} max={1} value={share} aria-label="Share of the allocated bytes in use">
        {Math.round(share * 100)} %
      </meter>
      <span>
        {many(tokens, 'token')} · grows {bytes(bytesPerToken)} a token
        {windowed > 0 && ` · ${windowed} of ${layers.length} layers keep a window only`}
        {chunked > 0 && ` · ${chunked} of ${layers.length} layers keep a chunk only`}
      </span>
    </div>
  );
}
