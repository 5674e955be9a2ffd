import type { TokenComparison, TokenCounts } from '../../server/protocol/tokens.js';

/** Tokens by script: what each vocabulary was made for. A script is not a language, but it is what text itself says. */
export function Scripts({ comparison }: { readonly comparison: TokenComparison }) {
  const columns = comparison.columns.filter((column): column is TokenCounts => 'tokens' in column);
  const characters = new Map(
    columns.flatMap(({ scripts }) => scripts.map(({ script, characters: many }) => [script, many] as const)),
  );
  const rows = [...characters].sort(([, a], [, b]) => b - a);
  const tokensOf = (column: TokenCounts, script: string) => column.scripts.find((count) => count.script === script)?.tokens ?? 0;
  const density = (column: TokenCounts, script: string, many: number) => (many === 0 ? 0 : tokensOf(column, script) / many);
  const most = Math.max(0.001, ...rows.flatMap(([script, many]) => columns.map((column) => density(column, script, many))));
  if (rows.length === 0) return null;
  return (
    <div class="scroll-x">
      <table class="scripts">
        <caption>Tokens a character, by script</caption>
        <thead>
          <tr>
            <th scope="col">script</th>
            <th scope="col">characters</th>
            {columns.map(({ vocabulary, name }) => (
              <th key={vocabulary} scope="col" colSpan={3}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([script, many]) => (
            <tr key={script}>
              <th scope="row">{script}</th>
              <td class="number">{many.toLocaleString('en')}</td>
              {columns.map((column) => (
                <>
                  <td class="number quiet">{tokensOf(column, script).toLocaleString('en')}</td>
                  <td class="number">{many === 0 ? '–' : density(column, script, many).toFixed(2)}</td>
                  <td class="bar">
                    <span style={{ width: `${(100 * density(column, script, many)) / most}%` }} />
                  </td>
                </>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
