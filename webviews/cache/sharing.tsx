import type { CacheLayer } from '../../server/protocol/inspect.js';

export interface SharingProps {
  readonly layer: CacheLayer;
  readonly kvHead: number;
  onKvHead(kvHead: number): void;
}

export const sharing = ({ heads, kvHeads, rows }: CacheLayer): string =>
  rows.some(({ name }) => name === 'c_kv')
    ? `One latent, read by all ${heads} query heads: their keys and values are linear in it and are never kept`
    : heads === kvHeads
      ? `${heads} ${heads === 1 ? 'head' : 'heads'}, each with its own K and V`
      : kvHeads === 1
        ? `1 KV head shared by all ${heads} query heads`
        : `${kvHeads} KV heads shared by ${heads} query heads, ${heads / kvHeads} each`;

/** Which query heads read which cached head: one box a KV head, its readers inside. */
export function Sharing({ layer, kvHead, onKvHead }: SharingProps) {
  const readers = layer.heads / layer.kvHeads;
  return (
    <fieldset class="sharing" aria-label={sharing(layer)}>
      {Array.from({ length: layer.kvHeads }, (_, k) => (
        <button
          key={k}
          type="button"
          class="sharing-group"
          aria-pressed={k === kvHead}
          title={`KV head ${k}, read by query heads ${k * readers} to ${(k + 1) * readers - 1}`}
          onClick={() => onKvHead(k)}
        >
          <span class="sharing-readers">
            {Array.from({ length: readers }, (_, q) => (
              <i key={q}>{k * readers + q}</i>
            ))}
          </span>
          <span class="sharing-kv">K{k}</span>
        </button>
      ))}
    </fieldset>
  );
}
