import type { ComponentChildren } from 'preact';
import type { GraphGroup, GraphNode, GraphOutline, GraphValue, OutlinePart, SegmentGraph } from '../../server/protocol/graph.js';
import type { InspectorId } from '../../server/protocol/host.js';
import { bytes, count, shape } from '../charts/numbers.js';
import { Inferred } from '../frame/inferred.js';
import { select } from '../frame/selection.js';
import { showInspector } from '../host.js';
import { type BlockRun, runTitle } from './runs.js';
import { leavesOf, resultOf, shapeText, shortRole, titleOf, weightsOf } from './text.js';
import { type Branch, type Item, isBranch } from './tree.js';
import type { At } from './useGraph.js';
import { ValueAtToken } from './valueAtToken.js';

export interface DetailsProps {
  readonly part: OutlinePart;
  readonly graph: SegmentGraph;
  readonly item: Item;
  /** Tokens of the run, for shapes. */
  readonly tokens: number | null;
  /** A run of this model and the token that is looked at; null without one. */
  readonly at: Pick<At, 'run' | 'token' | 'where'> | null;
  readonly shown: number;
  onShown(index: number): void;
  /** Selects what makes a value. */
  onValue(value: number): void;
}

/** What a box is: formula, shapes, weights, the value at the selected token, and where else it is shown. */
export function Details(props: DetailsProps) {
  const { item, graph } = props;
  if (item.kind === 'pill') return <StateDetails {...props} value={item.value} />;
  return isBranch(item) ? (
    <GroupDetails {...props} branch={item} />
  ) : (
    <OperatorDetails {...props} node={graph.nodes[item.node] as GraphNode} names={item.names} />
  );
}

const Section = ({ title, children }: { readonly title: string; readonly children: ComponentChildren }) => (
  <section class="graph-section">
    <h3>{title}</h3>
    {children}
  </section>
);

/** Names stand between backticks, as hovers have them. */
const Prose = ({ text }: { readonly text: string }) => (
  <p class="note">
    <span>{text.split('`').map((part, i) => (i % 2 === 1 ? <code key={i}>{part}</code> : part))}</span>
  </p>
);

const Formula = ({ text }: { readonly text: string }) => <p class="graph-formula">{text}</p>;

function GroupDetails(props: DetailsProps & { readonly branch: Branch }) {
  const { branch, graph, tokens, shown, onShown } = props;
  const groups = branch.names.map((name) => graph.groups[name] as GraphGroup);
  const [group] = groups as [GraphGroup];
  const about = groups.map(({ about: known }) => known).find((known) => known !== null) ?? null;
  const operators = leavesOf(branch).map(({ node }) => graph.nodes[node] as GraphNode);
  const value = resultOf(branch, graph);
  return (
    <>
      <h2>{about ? `${about.title}: ${titleOf(group, graph)}` : titleOf(group, graph)}</h2>
      {about?.formula && <Formula text={about.formula} />}
      {about && <Prose text={about.what} />}
      {group.part && (
        <label class="number-field">
          {group.title}
          <input
            type="number"
            min={0}
            max={group.part.count - 1}
            value={shown}
            onChange={({ currentTarget }) => {
              const index = currentTarget.valueAsNumber;
              if (index >= 0 && index < (group.part?.count ?? 0)) onShown(Math.floor(index));
            }}
          />
          of {count(group.part.count)}; a token goes through {group.part.chosen}
        </label>
      )}
      {value !== null && <ValueDetails {...props} value={value} title="Gives" />}
      <WeightList nodes={operators} graph={graph} />
      <Section title={`${operators.length} operators`}>
        <p class="note">{spelledCounts(operators)}</p>
      </Section>
      {value !== null && <Links {...props} value={value} weights={operators.flatMap((node) => weightsOf(node, graph))} />}
      <p class="note">{shapeNote(tokens)}</p>
    </>
  );
}

function spelledCounts(nodes: readonly GraphNode[]): string {
  const counts = new Map<string, number>();
  for (const { op } of nodes) counts.set(op, (counts.get(op) ?? 0) + 1);
  return [...counts].map(([op, n]) => (n === 1 ? op : `${n} ${op}`)).join(', ');
}

const shapeNote = (tokens: number | null): string =>
  tokens === null
    ? 'Sizes: T tokens of this call, S tokens in all. Run a prompt to see numbers.'
    : `Sizes are those of a call with all ${tokens} tokens of the run; values are those of one more call with the selected token alone.`;

function OperatorDetails(props: DetailsProps & { readonly node: GraphNode; readonly names: readonly number[] }) {
  const { node, names, graph, tokens, onValue } = props;
  const groups = names.map((name) => graph.groups[name] as GraphGroup);
  const about = groups.map(({ about: known }) => known).find((known) => known !== null) ?? null;
  const named = groups.at(-1)?.title;
  const attributes = Object.entries(node.attributes);
  return (
    <>
      <h2>{about ? `${about.title}: ${named}` : named ? `${named}: ${node.op}` : node.op}</h2>
      {about && <Prose text={about.what} />}
      <Formula text={node.formula} />
      <Section title="Reads">
        <ul class="graph-values">
          {node.inputs.map((index, i) => {
            const value = graph.values[index];
            return value ? <ValueLine key={i} value={value} tokens={tokens} go={() => onValue(index)} /> : null;
          })}
          {node.hidden > 0 && <li class="note">and {node.hidden} more of parts that are not shown</li>}
        </ul>
      </Section>
      {attributes.length > 0 && (
        <p class="note">
          {attributes.map(([name, value]) => (
            <span key={name}>
              {name} = {value}
            </span>
          ))}
        </p>
      )}
      {node.outputs.map((value, i) => (
        <ValueDetails
          key={value}
          {...props}
          value={value}
          title={node.outputs.length > 1 ? `Gives, ${i + 1} of ${node.outputs.length}` : 'Gives'}
        />
      ))}
      <WeightList nodes={[node]} graph={graph} />
      <Links {...props} value={node.outputs[0] as number} weights={weightsOf(node, graph)} />
    </>
  );
}

function ValueLine({ value, tokens, go }: { readonly value: GraphValue; readonly tokens: number | null; go(): void }) {
  const text = shapeText(value.shape, tokens);
  if (value.kind === 'constant') return <li>{`constant ${value.constant ?? ''}`}</li>;
  if (value.weight) return <li>{`${value.weight.tensor} ${shape(value.weight.shape)}`}</li>;
  return (
    <li>
      <button type="button" class="link" onClick={go}>
        {value.probes[0] ?? value.role ?? value.name}
      </button>{' '}
      {text}
    </li>
  );
}

function ValueDetails({ value, title, ...props }: DetailsProps & { readonly value: number; readonly title: string }) {
  const { graph, part, tokens, at } = props;
  const { shape: sizes, dtype, probes, name } = graph.values[value] as GraphValue;
  return (
    <Section title={title}>
      <p>
        <strong>{probes[0] ?? `#${name}`}</strong> {shapeText(sizes, tokens)} {dtype === 'f32' ? '' : dtype}
        {probes.length > 1 && <span class="note">also {probes.slice(1).join(', ')}</span>}
      </p>
      {at && <ValueAtToken part={part} graph={graph} value={value} at={at} />}
    </Section>
  );
}

function StateDetails({ value, ...props }: DetailsProps & { readonly value: number }) {
  const { graph, tokens, item } = props;
  const { role, shape: sizes } = graph.values[value] as GraphValue;
  const name = shortRole(role ?? '');
  const before = item.kind === 'pill' && item.side === 'in';
  const what =
    name === 'position'
      ? 'How many tokens came before this call: the position of its first token.'
      : name === 'cached rows'
        ? 'How many rows of the cache hold something.'
        : before
          ? `State ${name} as earlier calls left it.`
          : `What this call leaves of state ${name}.`;
  return (
    <>
      <h2>{name}</h2>
      <p class="note">{what}</p>
      <p>{shapeText(sizes, tokens)}</p>
      {name !== 'position' && name !== 'cached rows' && <Links {...props} value={value} weights={[]} />}
    </>
  );
}

/** The weights view, with this tensor chosen. */
function showTensor(tensor: string): void {
  select({ tensor });
  showInspector('weights');
}

function WeightList({ nodes, graph }: { readonly nodes: readonly GraphNode[]; readonly graph: SegmentGraph }) {
  const weights = [...new Set(nodes.flatMap((node) => weightsOf(node, graph)))];
  if (weights.length === 0) return null;
  return (
    <Section title="Weights">
      <table class="graph-weights">
        <tbody>
          {weights.map(({ name, weight }) => (
            <tr key={name}>
              <td>
                <button
                  type="button"
                  class="link"
                  title="Show this tensor in Weights"
                  onClick={() => weight && showTensor(weight.name)}
                >
                  {weight?.tensor}
                </button>
              </td>
              <td>{shape(weight?.shape ?? [])}</td>
              <td>{weight?.dtype}</td>
              <td class="number">{bytes(weight?.bytes ?? 0)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}

/** Inspectors that show the same from another side, told by names and declared state. */
function inspectorsFor({ states }: OutlinePart, { probes, role }: GraphValue, weights: boolean): InspectorId[] {
  const names = [...probes, role ?? ''];
  const named = (prefix: RegExp) => names.some((name) => prefix.test(name));
  const [rows, fixed] = [states.some(({ kind }) => kind === 'kv'), states.some(({ kind }) => kind !== 'kv')];
  const isRow = states.some(({ name, kind }) => kind === 'kv' && named(new RegExp(`^state\\.${name}\\b`)));
  return [
    ...(rows && named(/^attn\./) ? (['attention'] as const) : []),
    ...(isRow || (rows && named(/^attn\.(rot_k|v|c_kv|k_pe)$/)) ? (['cache'] as const) : []),
    ...(fixed && !isRow && named(/^state\.|^(mixer|time_mix)\./) ? (['state'] as const) : []),
    ...(weights ? (['weights'] as const) : []),
  ];
}

const TITLES: Partial<Record<InspectorId, string>> = {
  attention: 'Attention',
  cache: 'KV cache',
  state: 'State',
  weights: 'Weights',
};

type LinksProps = DetailsProps & { readonly value: number; readonly weights: readonly GraphValue[] };

function Links({ part, graph, value, weights }: LinksProps) {
  const inspectors = inspectorsFor(part, graph.values[value] as GraphValue, weights.length > 0);
  const tensor = weights[0]?.weight?.name;
  const show = (inspector: InspectorId) =>
    inspector === 'weights' && tensor !== undefined ? showTensor(tensor) : showInspector(inspector);
  if (inspectors.length === 0) return null;
  return (
    <p class="graph-links">
      Shown in{' '}
      {inspectors.map((inspector) => (
        <button key={inspector} type="button" class="link" onClick={() => show(inspector)}>
          {TITLES[inspector]}
        </button>
      ))}
    </p>
  );
}

const ENDS = { embed: 'Embedding', head: 'Head', graph: 'The whole graph' } as const;

/** A segment from outside, a run of blocks, or the whole model. */
export function PartDetails({
  part,
  graph,
  note,
}: {
  readonly part: OutlinePart;
  readonly graph: SegmentGraph | null;
  readonly note: string | null;
}) {
  const total = Object.values(part.bytes).reduce((a, b) => a + b, 0);
  return (
    <>
      <h2>{typeof part.part === 'number' ? `Block ${part.part}: ${part.mixer}` : ENDS[part.part]}</h2>
      <dl class="graph-facts">
        <Fact name="operators" value={part.operators.toLocaleString('en')} />
        <Fact name="parameters" value={part.parameters.toLocaleString('en')} />
        <Fact name="stored" value={`${bytes(total)}: ${Object.keys(part.bytes).join(', ')}`} />
        {part.states.length > 0 && <Fact name="keeps" value={part.states.map(({ name }) => name).join(', ')} />}
        {part.carriesIn.length > 0 && <Fact name="reads beside the stream" value={part.carriesIn.join(', ')} />}
        {part.carriesOut.length > 0 && <Fact name="hands on" value={part.carriesOut.join(', ')} />}
        {note && <Fact name="‖residual‖ in → out" value={note} />}
      </dl>
      <p class="note">Enter opens it: its modules, their steps, and in those every operator that runs.</p>
      {graph && graph.observed.length > 0 && (
        <p class="note">Computed only when asked for, and not drawn: {graph.observed.join(', ')}.</p>
      )}
    </>
  );
}

export function RunDetails({ run }: { readonly run: BlockRun }) {
  const parameters = run.parts.reduce((sum, part) => sum + part.parameters, 0);
  return (
    <>
      <h2>{runTitle(run)}</h2>
      <dl class="graph-facts">
        <Fact name="blocks" value={`${run.parts[0]?.part}–${run.parts.at(-1)?.part}`} />
        <Fact name="parameters" value={parameters.toLocaleString('en')} />
        <Fact name="of each" value={(run.parts[0]?.parameters ?? 0).toLocaleString('en')} />
      </dl>
      <p class="note">
        These blocks are built alike: the same operators on the same shapes, with weights of their own. Enter shows each.
      </p>
    </>
  );
}

export function ModelDetails({ outline, path }: { readonly outline: GraphOutline; readonly path: string }) {
  const blocks = outline.parts.filter(({ part }) => typeof part === 'number');
  const kinds = new Set(blocks.map(({ structure }) => structure)).size;
  return (
    <>
      <h2>{`${outline.name}: ${outline.family}`}</h2>
      <dl class="graph-facts">
        {kinds > 0 && <Fact name="blocks" value={`${blocks.length}, ${kinds === 1 ? 'all built alike' : `${kinds} kinds`}`} />}
        <Fact name="operators" value={outline.parts.reduce((sum, part) => sum + part.operators, 0).toLocaleString('en')} />
      </dl>
      {outline.inferred && <Inferred path={path} inferred={outline.inferred} />}
      <p class="note">Drawn from the graph that runs. Choose a box for its formula, its weights and its value.</p>
    </>
  );
}

const Fact = ({ name, value }: { readonly name: string; readonly value: string }) => (
  <div>
    <dt>{name}</dt>
    <dd>{value}</dd>
  </div>
);
