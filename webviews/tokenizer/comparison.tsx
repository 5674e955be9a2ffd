import { useSignal } from '@preact/signals';
import { TOKEN_ROLES, type TokenComparison, type TokenCounts, type VocabularyId } from '../../server/protocol/tokens.js';
import { Dropdown, IconButton } from '../controls/controls.js';
import { visibleText } from '../frame/tokenText.js';
import { editorDocument, orTell, prices, request } from '../host.js';
import { cost, money, parsePrice, ratios } from './figures.js';
import { add, chosen, known, MOST, nameOf, remove, replace } from './lab.js';

/** Roles that are worth a column when some token has them. */
const MARKED = TOKEN_ROLES.filter((role) => role !== 'text');

/** A row a vocabulary: how many tokens, how dense, whether they give the text back, and what they cost. */
export function Comparison({ comparison }: { readonly comparison: TokenComparison | null }) {
  const counts = new Map(
    comparison?.columns.flatMap((column) => ('tokens' in column ? [[column.vocabulary, column] as const] : [])),
  );
  const roles = MARKED.filter((role) => [...counts.values()].some((column) => column.roles[role] > 0));
  const most = Math.max(1, ...[...counts.values()].map(({ tokens }) => tokens));
  return (
    <div class="scroll-x">
      <table class="comparison" data-version={comparison?.version} style={{ '--columns': 9 + roles.length }}>
        <thead>
          <tr>
            <th scope="col">vocabulary</th>
            <th scope="col" colSpan={2}>
              tokens
            </th>
            <th scope="col" title="Whether the tokens decode to the text">
              round trip
            </th>
            {ratios(0, { characters: 0, words: 0, bytes: 0, lines: 0 }).map(({ name, title }) => (
              <th key={name} scope="col" title={title}>
                {name}
              </th>
            ))}
            {roles.map((role) => (
              <th key={role} scope="col" title={ROLE_TITLES[role]}>
                {role}
              </th>
            ))}
            <th scope="col" title="What a million tokens cost, in your currency">
              price / 1M
            </th>
            <th scope="col">cost</th>
            <th scope="col">
              <span class="visually-hidden">actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {chosen.value.map((id, index) => (
            <Row
              key={`${index} ${id}`}
              id={id}
              index={index}
              counts={counts.get(id) ?? null}
              comparison={comparison}
              roles={roles}
              most={most}
            />
          ))}
        </tbody>
      </table>
      {chosen.value.length < MOST && (
        <button type="button" class="link add" onClick={add}>
          <i class="codicon codicon-add" aria-hidden="true" /> Compare with another vocabulary
        </button>
      )}
    </div>
  );
}

export const ROLE_TITLES: Readonly<Record<string, string>> = {
  special: 'Special tokens, found by their name',
  added: 'Tokens that were added to the vocabulary, found by their name',
  byte: 'Bytes of characters that the vocabulary lacks',
  unknown: 'Text that the vocabulary cannot say',
};

interface RowProps {
  readonly id: VocabularyId;
  readonly index: number;
  readonly counts: TokenCounts | null;
  readonly comparison: TokenComparison | null;
  readonly roles: readonly (typeof MARKED)[number][];
  readonly most: number;
}

function Row({ id, index, counts, comparison, roles, most }: RowProps) {
  const price = prices.value[id];
  return (
    <tr>
      <th scope="row">
        <VocabularyPicker id={id} index={index} />
      </th>
      <td class="number count">{counts ? counts.tokens.toLocaleString('en') : '…'}</td>
      <td class="bar">{counts && <span style={{ width: `${(100 * counts.tokens) / most}%` }} />}</td>
      <td>{counts && <RoundTrip counts={counts} />}</td>
      {counts && comparison
        ? ratios(counts.tokens, comparison.text).map(({ name, value }) => (
            <td key={name} class="number">
              {value === null ? '–' : value.toFixed(3)}
            </td>
          ))
        : [0, 1, 2].map((n) => <td key={n} />)}
      {roles.map((role) => (
        <td key={role} class={`number mark-${role}`}>
          {counts ? counts.roles[role].toLocaleString('en') : ''}
        </td>
      ))}
      <td>
        <PriceField vocabulary={id} price={price ?? null} />
      </td>
      <td class="number">{counts && price !== undefined ? money(cost(counts.tokens, price)) : ''}</td>
      <td class="actions">
        {counts?.command && (
          <IconButton
            icon="copy"
            label="Copy as command"
            onClick={() => orTell(request('host/copyText', { text: counts.command ?? '' }))}
          />
        )}
        {chosen.value.length > 1 && <IconButton icon="close" label={`Remove ${nameOf(id)}`} onClick={() => remove(index)} />}
      </td>
    </tr>
  );
}

function VocabularyPicker({ id, index }: { readonly id: VocabularyId; readonly index: number }) {
  const others = chosen.value.filter((_, i) => i !== index);
  // The list stays the same, whatever the other rows show: the element would lose its place in it.
  const options = known.value.map(({ id: value, name, source, detail }) => ({
    value,
    disabled: others.includes(value),
    text: source === 'named' ? `${name} · ${detail}` : source === 'open' ? `${name} · open model` : `${name} · model`,
  }));
  const all = options.some(({ value }) => value === id) ? options : [{ value: id, text: nameOf(id) }, ...options];
  const choose = async (value: string) => {
    if (value !== ELSEWHERE) return replace(index, value);
    const model = await request('host/pickModel', null).catch(() => null);
    if (model && !chosen.value.includes(model.path)) replace(index, model.path);
  };
  return (
    <Dropdown
      label={`Vocabulary ${index + 1}`}
      value={id}
      options={[...all, { value: ELSEWHERE, text: 'The vocabulary of another model…' }]}
      onChange={(value) => void choose(value)}
    />
  );
}

const ELSEWHERE = ' elsewhere';

function RoundTrip({ counts: { difference } }: { readonly counts: TokenCounts }) {
  if (difference === null)
    return (
      <span class="holds">
        <i class="codicon codicon-check" aria-hidden="true" /> exact
      </span>
    );
  const show = (text: string) => visibleText({ text: text.slice(0, 8) || ' ', bytes: [] });
  const document = editorDocument.value?.document;
  const go = () => {
    if (document !== undefined) orTell(request('host/selectText', { document, from: difference.at, to: difference.at + 1 }));
  };
  return (
    <button type="button" class="link lost" onClick={go} title={`Shows the first difference, at character ${difference.at}`}>
      <i class="codicon codicon-warning" aria-hidden="true" /> at {difference.at.toLocaleString('en')}:{' '}
      <code>{show(difference.expected)}</code> → <code>{show(difference.decoded)}</code>
    </button>
  );
}

function PriceField({ vocabulary, price }: { readonly vocabulary: VocabularyId; readonly price: number | null }) {
  const typed = useSignal<string | null>(null);
  const value = typed.value ?? (price === null ? '' : String(price));
  const parsed = parsePrice(value);
  const keep = () => {
    if (typed.value !== null && parsed !== undefined && parsed !== price)
      orTell(request('host/setPrice', { vocabulary, price: parsed }));
    if (parsed !== undefined) typed.value = null;
  };
  return (
    <input
      class="price"
      inputMode="decimal"
      aria-label={`Price of a million tokens of ${nameOf(vocabulary)}`}
      aria-invalid={parsed === undefined}
      placeholder="none"
      value={value}
      onInput={(event) => {
        typed.value = event.currentTarget.value;
      }}
      onChange={keep}
    />
  );
}
