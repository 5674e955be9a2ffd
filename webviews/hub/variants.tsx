import type { HubPreview } from '../../server/protocol/hub.js';
import { bytes } from '../charts/numbers.js';
import { downloading, look } from './hub.js';

/** What the repository holds: one of them is looked into and downloaded. */
export function Variants({ preview }: { readonly preview: HubPreview }) {
  const { variants, variant: chosen } = preview;
  return (
    <fieldset class="variants">
      <legend>{variants.length === 1 ? 'One model' : `${variants.length} models`}</legend>
      {variants.map(({ id, label, bytes: size, files, cached, path }) => (
        <label key={id} class={id === chosen ? 'variant chosen' : 'variant'}>
          <input
            type="radio"
            name="variant"
            value={id}
            checked={id === chosen}
            disabled={downloading.value !== null}
            onChange={() => void look(id)}
          />
          <span class="variant-label">{label}</span>
          <span class="number">{bytes(size)}</span>
          <span class="quiet">{files.length === 1 ? '1 file' : `${files.length} files`}</span>
          <span class="quiet">{path ? 'in the cache' : cached > 0 ? `${bytes(cached)} here` : ''}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** Files of the chosen one, the biggest first. */
export function Files({ preview }: { readonly preview: HubPreview }) {
  const files = preview.variants.find(({ id }) => id === preview.variant)?.files ?? [];
  return (
    <details class="hub-files">
      <summary>{files.length === 1 ? '1 file' : `${files.length} files`}</summary>
      <table>
        <tbody>
          {[...files]
            .sort((a, b) => b.bytes - a.bytes)
            .map((file) => (
              <tr key={file.path}>
                <th scope="row">{file.path}</th>
                <td class="number">{bytes(file.bytes)}</td>
              </tr>
            ))}
        </tbody>
      </table>
    </details>
  );
}
