import { useEffect } from 'preact/hooks';
import { useRowList } from '../charts/useRowList.js';
import { type Drawn, type Found, visitBoxes } from './drawn.js';
import { normText } from './text.js';

interface Props {
  readonly root: Drawn;
  readonly selected: string | null;
  readonly norm: (segment: string, value: number) => number | null;
  onSelect(id: string): void;
  onToggle(id: string): void;
}

const ROW = 20;

/** The boxes of the picture as a table, in their order, each below the one it is in. */
export function NodeTable({ root, selected, norm, onSelect, onToggle }: Props) {
  const rows = boxesOf(root);
  const at = rows.findIndex(({ id }) => id === selected);
  const { host, from, to, moved } = useRowList({ count: rows.length, row: ROW, at });
  useEffect(() => host.current?.querySelector('table')?.focus(), [host]);
  const onKeyDown = (event: KeyboardEvent) => {
    const next = moved(event);
    if (next !== null) onSelect((rows[next] as Found).id);
    else if (event.key === 'Enter' && selected !== null) onToggle(selected);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div ref={host} class="graph-table">
      <table
        // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a real table that arrow keys walk is a grid
        role="grid"
        tabIndex={0}
        aria-label="Boxes of the graph"
        aria-rowcount={rows.length + 1}
        onKeyDown={onKeyDown}
      >
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">What</th>
            <th scope="col">Shape</th>
            <th scope="col" class="number">
              ‖value‖
            </th>
          </tr>
        </thead>
        <tbody>
          <tr style={{ height: `${from * ROW}px` }} />
          {rows.slice(from, to).map((found) => (
            <Row key={found.id} found={found} selected={found.id === selected} norm={norm} onSelect={onSelect} />
          ))}
          <tr style={{ height: `${(rows.length - to) * ROW}px` }} />
        </tbody>
      </table>
    </div>
  );
}

/** In reading order: from top to bottom, what is in a box behind it. */
function boxesOf(root: Drawn): Found[] {
  const found: Found[] = [];
  visitBoxes(root, (box) => {
    if (box.around.length > 0) found.push(box);
    return true;
  });
  return found;
}

interface RowProps extends Pick<Props, 'norm' | 'onSelect'> {
  readonly found: Found;
  readonly selected: boolean;
}

function Row({ found: { id, box, around }, selected, norm, onSelect }: RowProps) {
  const { label, expandable, inner } = box;
  const segment = around.find((outer) => outer.box.segment);
  const length = segment && label.value !== null ? norm(segment.id, label.value) : null;
  return (
    <tr aria-selected={selected} class={selected ? 'selected' : undefined} onClick={() => onSelect(id)}>
      <th scope="row" style={{ paddingLeft: `${(around.length - 1) * 12 + 4}px` }}>
        {expandable && <i class={`codicon codicon-chevron-${inner ? 'down' : 'right'}`} aria-hidden="true" />}
        {label.title}
      </th>
      <td>{label.lines.slice(0, -1).join(', ')}</td>
      <td>{label.lines.at(-1) ?? ''}</td>
      <td class="number">{length === null ? '' : normText(length).replaceAll('‖', '')}</td>
    </tr>
  );
}
