import type { Inference } from '../../server/protocol/models.js';

/** What a family was told by when nobody knows its name: every conclusion with its reason, assumptions first. */
export function Inferred({ inferences }: { readonly inferences: readonly Inference[] }) {
  const assumed = inferences.filter((inference) => inference.assumed);
  const told = inferences.filter((inference) => !inference.assumed);
  const guesses = assumed.length === 0 ? 'nothing is assumed' : `${assumed.length} assumed`;
  return (
    <details class="inferred">
      <summary>
        Inferred: no family of this name is known. {told.length} conclusions from tensors and config, {guesses}.
      </summary>
      <table aria-label="Inferred architecture">
        <thead>
          <tr>
            <th scope="col">conclusion</th>
            <th scope="col">because</th>
          </tr>
        </thead>
        <tbody>
          {[...assumed, ...told].map(({ what, because, assumed }) => (
            <tr key={`${what} ${because}`}>
              <td>
                {assumed && <em>assumed: </em>}
                {what}
              </td>
              <td class="because">{because}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
