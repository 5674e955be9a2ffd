import type { Inference } from '../../server/protocol/models.js';
import { Button } from '../controls/controls.js';
import { orTell, request } from '../host.js';
import './inferred.css';

type Otherwise = NonNullable<Inference['otherwise']>;

/** What a family was told by when nobody knows its name: what is assumed in the open, every conclusion with its reason below. */
export function Inferred({ path, inferred }: { readonly path: string; readonly inferred: readonly Inference[] }) {
  const assumed = inferred.filter((inference) => inference.assumed);
  const told = inferred.filter((inference) => !inference.assumed);
  return (
    <section class="inferred" aria-label="Inferred architecture">
      <p>
        Inferred: no family of this name is known. What runs is what {told.length} conclusions from tensors and config say
        {assumed.length === 0 ? '; nothing is assumed.' : '. If an assumption is wrong, so are the numbers:'}
      </p>
      {assumed.length > 0 && (
        <ul class="assumed" aria-label="Assumptions">
          {assumed.map((inference) => (
            <Assumption key={inference.what} path={path} {...inference} />
          ))}
        </ul>
      )}
      <details>
        <summary>{told.length} conclusions and their reasons</summary>
        <table aria-label="Conclusions">
          <thead>
            <tr>
              <th scope="col">conclusion</th>
              <th scope="col">because</th>
            </tr>
          </thead>
          <tbody>
            {told.map(({ what, because }) => (
              <tr key={`${what} ${because}`}>
                <td>{what}</td>
                <td class="because">{because}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </section>
  );
}

function Assumption({ path, what, because, otherwise }: Inference & { readonly path: string }) {
  return (
    <li>
      <i class="codicon codicon-warning" aria-hidden="true" /> assumed: {what} <span class="because">({because})</span>
      {otherwise && <Opposite path={path} {...otherwise} />}
    </li>
  );
}

/** Remote files are not run, and nothing is told of them. */
function Opposite({ path, key, value }: Otherwise & { readonly path: string }) {
  if (path.startsWith('hf://')) return null;
  const says = `"${key}": ${JSON.stringify(value)}`;
  return (
    <Button
      kind="secondary"
      icon="settings"
      title={`Puts ${says} over this model's config, in the setting modelLab.config; config.json itself stays as it is`}
      onClick={() => orTell(request('host/tellConfig', { path, key, value }))}
    >
      Set {says}
    </Button>
  );
}
