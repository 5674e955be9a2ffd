import type { MergeNode, TokenDetail, TokenOrigin, TokenPart, VocabularyId, WindowToken } from '../../server/protocol/tokens.js';
import { Loaded } from '../frame/states.js';
import { hex, visibleText } from '../frame/tokenText.js';
import { useRequest } from '../frame/useRequest.js';
import { placeTree, stepsOf } from './figures.js';
import { nameOf } from './lab.js';

interface Props {
  readonly vocabulary: VocabularyId;
  readonly token: WindowToken;
  /** Its place among all tokens of the document; null while that is not known. */
  readonly place: number | null;
}

/** One token: what it is, and why it is one. */
export function Details({ vocabulary, token, place }: Props) {
  const detail = useRequest('tokens/merges', { vocabulary, id: token.id });
  return (
    <section class="details" aria-label="Token">
      <h2>
        <code>{visibleText(part(token))}</code> in {nameOf(vocabulary)}
      </h2>
      <dl class="token-facts">
        <Fact name="id" value={String(token.id)} />
        <Fact name="token" value={place === null ? '…' : place.toLocaleString('en')} />
        <Fact name="bytes" value={hex(token.bytes) || 'none'} />
        <Fact name="characters" value={token.start === token.end ? `none, at ${token.start}` : `${token.start}–${token.end}`} />
        {token.role !== 'text' && <Fact name="kind" value={token.role} />}
      </dl>
      <Loaded of={detail} what="What made this token">
        {(value) => <Why detail={value} />}
      </Loaded>
    </section>
  );
}

const Fact = ({ name, value }: { readonly name: string; readonly value: string }) => (
  <div>
    <dt>{name}</dt>
    <dd>{value}</dd>
  </div>
);

const part = ({ text, bytes }: TokenPart) => ({ text: text || ' ', bytes: [...bytes] });
const shown = (node: TokenPart) => visibleText(part(node));

function Why({ detail }: { readonly detail: TokenDetail }) {
  const { origin } = detail;
  switch (origin.how) {
    case 'merges':
      return <Merges origin={origin} />;
    case 'score':
      return (
        <>
          <p>
            Unigram takes the most probable spelling. This token has score {origin.score.toFixed(3)} (log probability);{' '}
            {origin.rank.toLocaleString('en')} entries have a better one.
          </p>
          {origin.otherwise ? (
            <p>
              Without it, the best spelling is <Parts parts={origin.otherwise.parts} /> with {origin.otherwise.score.toFixed(3)}.
            </p>
          ) : (
            <p>Nothing else in the vocabulary spells it.</p>
          )}
        </>
      );
    case 'longest':
      return (
        <p>
          The longest entry that matches here.{' '}
          {origin.shorter.length === 0 ? (
            'No shorter one does.'
          ) : (
            <>
              Shorter ones that match too: <Parts parts={origin.shorter} />.
            </>
          )}
        </p>
      );
    default:
      return <p>{REASONS[origin.how]}</p>;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  special: 'A special token: found by its name before the text is encoded.',
  added: 'An added token: found by its name before the text is encoded.',
  byte: 'The vocabulary has no entry for this character, so its UTF-8 bytes stand for it, one token each.',
  unknown: 'The vocabulary has no entry for this text: it is lost.',
};

const Parts = ({ parts }: { readonly parts: readonly TokenPart[] }) => (
  <>
    {parts.map((each, i) => (
      <span key={String(i)}>
        {i > 0 && ' '}
        <code class="part" title={each.id === null ? 'no token' : `id ${each.id}`}>
          {shown(each)}
        </code>
      </span>
    ))}
  </>
);

const ORDERS = {
  list: 'as the tokenizer lists them',
  ids: 'a merge ranks as the token it makes',
  scores: 'ranked by the scores of the tokens they make',
} as const;

function Merges({ origin }: { readonly origin: Extract<TokenOrigin, { readonly how: 'merges' }> }) {
  const { tree, order, merges } = origin;
  const steps = stepsOf(tree);
  if (steps.length === 0 && tree.parts.length === 0) return <p>A symbol of the alphabet: no merge makes it.</p>;
  return (
    <>
      {tree.step === null && (
        <p>
          Merging stops at {tree.parts.length} parts. The token is one because its whole spelling is an entry of the vocabulary.
        </p>
      )}
      <div class="why">
        <MergePicture tree={tree} />
        <table class="merges">
          <caption>
            Its merges in order, of {merges.toLocaleString('en')}, {ORDERS[order]}
          </caption>
          <thead>
            <tr>
              <th scope="col">step</th>
              <th scope="col">left</th>
              <th scope="col">right</th>
              <th scope="col">makes</th>
              <th scope="col">rank</th>
            </tr>
          </thead>
          <tbody>
            {steps.map(({ step, left, right, made, rank }) => (
              <tr key={step}>
                <td class="number">{step}</td>
                <td>
                  <code>{shown(left)}</code>
                </td>
                <td>
                  <code>{shown(right)}</code>
                </td>
                <td>
                  <code>{shown(made)}</code>
                </td>
                <td class="number">{rank.toLocaleString('en')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

/** The tree of merges over the symbols: each bar was merged from the two below it. */
function MergePicture({ tree }: { readonly tree: MergeNode }) {
  const placed = placeTree(tree);
  const depth = Math.max(...placed.map((each) => each.depth));
  const width = placed[0]?.width ?? 1;
  return (
    <div class="scroll-x">
      <div
        class="merge-picture"
        aria-hidden="true"
        style={{ gridTemplateColumns: `repeat(${width}, minmax(2.4em, 1fr))`, gridTemplateRows: `repeat(${depth + 1}, auto)` }}
      >
        {placed.map(({ node, from, width: span, depth: row }) => (
          <div
            key={`${from} ${row}`}
            class={node.parts.length === 0 ? 'symbol' : 'merge'}
            // A symbol stands at the bottom, wherever it was merged.
            style={{
              gridColumn: `${from + 1} / span ${span}`,
              gridRow: `${row + 1} / ${node.parts.length === 0 ? depth + 2 : row + 2}`,
            }}
            title={node.id === null ? undefined : `id ${node.id}`}
          >
            <code>{shown(node)}</code>
            {node.rank !== null && <span class="rank">{node.rank.toLocaleString('en')}</span>}
          </div>
        ))}
      </div>
    </div>
  );
}
