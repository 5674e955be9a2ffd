import assert from 'node:assert/strict';
import test from 'node:test';
import type { GraphGroup, GraphNode, GraphValue, OutlinePart, SegmentGraph } from '../../server/protocol/graph.js';
import { fitted, revealed, toScene, zoomed } from '../../webviews/graph/camera.js';
import { drawGraph, type Picture } from '../../webviews/graph/drawing.js';
import { boxAt, type Drawn, findBox, visitBoxes } from '../../webviews/graph/drawn.js';
import { layOut } from '../../webviews/graph/layout.js';
import { canvasPen, SvgPen } from '../../webviews/graph/pen.js';
import { blockRuns, runTitle } from '../../webviews/graph/runs.js';
import { segmentInner } from '../../webviews/graph/segmentBox.js';
import { shapeText } from '../../webviews/graph/text.js';
import { treeOf } from '../../webviews/graph/tree.js';
import { stepFrom } from '../../webviews/graph/walk.js';
import { wire } from '../../webviews/graph/wiring.js';

const value = (name: string, more: Partial<GraphValue> = {}): GraphValue => ({
  name,
  dtype: 'f32',
  shape: ['B', 'T', 4],
  kind: 'computed',
  probes: [],
  role: null,
  ...more,
});
const node = (op: string, group: number, inputs: number[], outputs: number[]): GraphNode => ({
  op,
  group,
  inputs,
  outputs,
  attributes: {},
  formula: '',
  hidden: 0,
});
const group = (title: string, kind: GraphGroup['kind'], parent: number, more: Partial<GraphGroup> = {}): GraphGroup => ({
  title,
  kind,
  parent,
  probe: null,
  about: null,
  part: null,
  node: null,
  ...more,
});

/** norm → mixer { q, a loop over a state } → add: resid 0, norm 1, q 2, y 3, sum 4, before 5, after 6; in the loop state 7, x 8, next 9. */
const block: SegmentGraph = {
  tower: '',
  part: 0,
  values: [
    value('resid', { kind: 'input', role: 'resid', probes: ['resid_pre'] }),
    value('v0', { probes: ['ln1'] }),
    value('v1', { probes: ['mixer.q'] }),
    value('v2', { probes: ['mixer.y'] }),
    value('v3', { probes: ['resid_post'], role: 'resid.next' }),
    value('state.s.past', { kind: 'input', role: 'state.s.past' }),
    value('v4', { role: 'state.s.new' }),
    value('v4.state', { kind: 'input', of: 5, next: 9 }),
    value('v4.x', { kind: 'input', of: 2 }),
    value('v4.0', { of: 6 }),
    value('v5', { dtype: 'i64', shape: [1] }),
  ],
  nodes: [
    node('RMSNorm', 1, [0], [1]),
    node('MatMul', 3, [1], [2]),
    node('Scan', 4, [5, 2], [6]),
    node('Add', 5, [7, 8], [9]),
    node('Mul', 4, [2, 6], [3]),
    node('Add', 6, [0, 3], [4]),
    node('Shape', 4, [0], [10]),
  ],
  groups: [
    group('', 'root', -1),
    group('ln1', 'step', 0, { probe: 'ln1' }),
    group('mixer', 'module', 0),
    group('mixer.q', 'step', 2, { probe: 'mixer.q' }),
    group('mixer.y', 'step', 2, { probe: 'mixer.y' }),
    group('for each step', 'loop', 4, { node: 2 }),
    group('resid_post', 'step', 0, { probe: 'resid_post' }),
  ],
  outputs: [6, 4],
  observed: [],
};

test('groups of one thing are that thing, what only computes sizes is left out', () => {
  const tree = treeOf(block, 'b0', false);
  assert.deepEqual(
    tree.root.children.map(({ id }) => id),
    ['b0/i5', 'b0/o6', 'b0/n0', 'b0/g2', 'b0/n5'],
  );
  assert.equal(tree.items.has('b0/n6'), false);
  assert.ok(treeOf(block, 'b0', true).items.has('b0/n6'));
  assert.equal(tree.parents.get('b0/n1')?.id, 'b0/g2');
});

const wires = (open: readonly string[]) => {
  const wiring = wire(block, treeOf(block, '', false), (id) => open.includes(id));
  return new Map(
    [...wiring].map(([id, list]) => [id, list.map(({ from, to, back }) => `${from}→${to}${back ? ' back' : ''}`).sort()]),
  );
};

test('edges of operators in closed groups belong to the group', () => {
  assert.deepEqual(wires([]).get(''), ['/g2→/n5', '/g2→/o6', '/i5→/g2', '/n0→/g2', '/n5→<4', '>0→/n0', '>0→/n5']);
});

test('in an open group they begin and end at its border', () => {
  const inside = wires(['/g2', '/g4', '/g5']);
  assert.deepEqual(inside.get('/g2'), ['/g4→<3', '/g4→<6', '/n1→/g4', '>1→/n1', '>5→/g4']);
  assert.deepEqual(inside.get('/g4'), ['/g5→/n4', '/g5→<6', '/n4→<3', '>2→/g5', '>2→/n4', '>5→/g5']);
  assert.deepEqual(inside.get('/g5'), ['/n3→<6', '>2→/n3', '>5→/n3']);
});

const measure = (text: string) => text.length * 6;
const drawn = (open: readonly string[]): Drawn => {
  const inner = segmentInner(block, { open: (id) => open.includes(id), sizes: false, tokens: 7, norms: true, measure });
  const label = { title: 'block 0', lines: [], value: null, tone: 'weights' } as const;
  const segment: Drawn = {
    id: 'b0',
    label,
    expandable: true,
    segment: true,
    shape: 'box',
    inner,
    width: inner.width,
    height: inner.height,
  };
  const around = {
    children: [{ at: { x: 10, y: 20 }, box: segment }],
    wires: [],
    spine: () => false,
    ports: [],
    entries: new Map(),
    exits: new Map(),
  };
  return { ...segment, id: 'model', segment: false, inner: around, width: inner.width + 20, height: inner.height + 40 };
};

test('boxes do not overlap, lie within what holds them, and the stream is straight', () => {
  const root = drawn(['/g2', '/g4', '/g5']);
  const boxes = new Map<string, { x: number; y: number; width: number; height: number; parent: string | undefined }>();
  visitBoxes(root, ({ id, box, x, y, around }) => {
    boxes.set(id, { x, y, width: box.width, height: box.height, parent: around.at(-1)?.id });
    return true;
  });
  assert.ok(boxes.has('b0/n3'), 'the loop is open');
  for (const [id, a] of boxes) {
    const outer = a.parent === undefined ? undefined : boxes.get(a.parent);
    if (outer)
      assert.ok(
        a.x >= outer.x && a.y >= outer.y && a.x + a.width <= outer.x + outer.width && a.y + a.height <= outer.y + outer.height,
        id,
      );
    for (const [other, b] of boxes)
      if (id < other && a.parent === b.parent)
        assert.ok(
          a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y,
          `${id} and ${other}`,
        );
  }
  const spine = findBox(root, 'b0')?.box.inner?.wires.filter(({ from, to }) => from === '>0' && to === '/n5') ?? [];
  assert.equal(new Set(spine[0]?.points.map(({ x }) => x)).size, 1);
});

test('arrow keys follow the edges, into what is open and out of it', () => {
  const root = drawn(['/g2']);
  const walk = (from: string, ...way: Parameters<typeof stepFrom>[2][]) =>
    way.reduce((at, direction) => {
      const found = findBox(root, at);
      return (found && stepFrom(root, found, direction)?.id) ?? at;
    }, from);
  assert.equal(walk('b0/n0', 'down'), 'b0/g2');
  assert.equal(walk('b0/g2', 'down'), 'b0/n1');
  assert.equal(walk('b0/n1', 'down'), 'b0/g4');
  // out of the group again, to what reads it
  assert.ok(['b0/n5', 'b0/o6'].includes(walk('b0/g4', 'down')));
  assert.equal(walk('b0/n1', 'up'), 'b0/g2');
});

test('a picture is drawn where it is in sight and nowhere else', () => {
  const root = drawn([]);
  const tones = { weights: '#1', state: '#2', control: '#3', moves: '#4', computes: '#5' };
  const ink = { text: '#t', quiet: '#q', paper: '#p', line: '#l', focus: '#f', tones };
  const picture: Picture = { root, ink, selected: null, hovered: null, marked: new Set(), norm: () => 1.5 };
  const draw = (left: number, scale: number) => {
    const pen = new SvgPen('sans');
    const count = drawGraph(pen, picture, { left, top: 0, right: left + 500, bottom: 500, scale });
    return { count, svg: pen.file(100, 100, '#p') };
  };
  assert.ok(draw(0, 1).count > 5);
  assert.match(draw(0, 1).svg, /<text[^>]*>ln1<\/text>[\s\S]*‖1\.5‖/);
  assert.equal(draw(5000, 1).count, 0);
  assert.doesNotMatch(draw(0, 0.1).svg, /ln1/);
  assert.equal(boxAt(root, { x: -5, y: -5 }), null);
});

test('runs are as long as they can be, with the shortest pattern', () => {
  const part = (index: number, structure: number): OutlinePart => ({
    tower: '',
    part: index,
    structure,
    mixer: ['attention', 'mamba', 'rwkv'][structure] ?? '',
    operators: 1,
    parameters: 1,
    bytes: {},
    states: [],
    reads: [],
    says: [],
    carriesIn: [],
    carriesOut: [],
  });
  const runs = (...structures: number[]) => blockRuns(structures.map((s, i) => part(i, s)));
  assert.deepEqual(
    runs(0, 0, 0, 0).map((run) => runTitle(run)),
    ['4 × attention'],
  );
  assert.deepEqual(
    runs(2, 1, 1, 0, 1, 1, 0, 1, 1, 0).map((run) => `${run.parts.length} ${runTitle(run)}`),
    ['1 1 × rwkv', '9 3 × (2 mamba, attention)'],
  );
  assert.deepEqual(
    runs(0, 1, 2).map(({ parts }) => parts.length),
    [1, 1, 1],
  );
});

test('sizes of a run are put in where they are known', () => {
  assert.equal(shapeText(['B', 'T', 64], null), 'T × 64');
  assert.equal(shapeText(['B', 6, 'T', 'S'], 40), '6 × 40 × 40');
  assert.equal(shapeText(['B', 2, 'C.all', 32], 40), '2 × cached × 32');
  assert.equal(shapeText(['B·T', 3], 5), '5 × 3');
  assert.equal(shapeText(['2·B·T'], 5), '10');
  assert.equal(shapeText(['n.17', 8], 5), 'n × 8');
  assert.equal(shapeText([], null), 'scalar');
});

test('the camera zooms around a point and goes where it is sent', () => {
  const camera = { dx: 10, dy: 20, scale: 1 };
  const point = { x: 100, y: 50 };
  assert.deepEqual(toScene(zoomed(camera, 2, point), point), toScene(camera, point));
  const screen = { width: 400, height: 300 };
  const far = revealed(camera, { x: 1000, y: 1000, width: 50, height: 20 }, screen);
  const corner = { x: 1000 * far.scale + far.dx, y: 1000 * far.scale + far.dy };
  assert.ok(corner.x > 0 && corner.x < 400 && corner.y > 0 && corner.y < 300);
  // a model that is higher than the screen is shown from its top, readable
  const tall = fitted({ x: 0, y: 0, width: 300, height: 9000 }, screen);
  assert.ok(tall.scale >= 0.7 && tall.dy > 0);
});

test('a line bends no wider than the pieces beside the corner are long', () => {
  const bends: number[] = [];
  const context = new Proxy({} as CanvasRenderingContext2D, {
    get: (_, name) => (name === 'arcTo' ? (...given: number[]) => bends.push(given[4] as number) : () => undefined),
    set: () => true,
  });
  const points = [
    { x: 0, y: 0 },
    { x: 40, y: 0 },
    { x: 40, y: 2 },
    { x: 100, y: 2 },
    { x: 100, y: 60 },
    { x: 100, y: 60 },
  ];
  canvasPen(context, 'sans-serif').path(points, { stroke: '', line: 1, dashed: false });
  assert.deepEqual(
    bends.map((radius) => Math.round(radius * 1e6) / 1e6),
    [1, 1, 8, 0],
  );
});

test('thousands of boxes in one are laid in stretches, downwards and apart', () => {
  const count = 3500;
  const children = Array.from({ length: count }, (_, i) => ({ id: `n${i}`, width: 120, height: 40 }));
  const wire = (from: string, to: string, value: number) => ({ from, to, value, back: false });
  const chain = children.slice(1).map(({ id }, i) => wire(`n${i}`, id, i));
  const { places, wires, width, height, entries, exits } = layOut(
    children,
    [wire('>9000', 'n0', 9000), ...chain, wire(`n${count - 1}`, '<9001', 9001)],
    () => false,
  );
  assert.equal(places.size, count);
  assert.equal(wires.length, count + 1);
  let above = 0;
  for (const { id } of children) {
    const { x, y } = places.get(id) ?? { x: Number.NaN, y: Number.NaN };
    assert.ok(y >= above && x >= 0 && x + 120 <= width, id);
    above = y + 40;
  }
  assert.ok(above < height);
  for (const { from, to, points } of wires) {
    const [first, last] = [points[0], points.at(-1)];
    assert.ok((first?.y ?? 0) <= (last?.y ?? -1), `${from} ${to}`);
    if (places.has(from)) assert.ok(Math.abs((first?.y ?? 0) - ((places.get(from)?.y ?? 0) + 40)) < 1, `${from} ${to}`);
    if (places.has(to)) assert.ok(Math.abs((last?.y ?? 0) - (places.get(to)?.y ?? 0)) < 1, `${from} ${to}`);
  }
  assert.deepEqual([[...entries.keys()], [...exits.keys()]], [[9000], [9001]]);
});
