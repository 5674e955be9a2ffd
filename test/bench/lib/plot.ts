/** One panel of curves over a logarithmic x axis. */
export interface Panel {
  readonly title: string;
  /** Of the y axis, logarithmic too: a slope of 1 is linear growth. */
  readonly unit: string;
  /** What the x axis counts. */
  readonly x: string;
  readonly curves: readonly { readonly name: string; readonly points: readonly (readonly [x: number, y: number])[] }[];
}

const [WIDTH, HEIGHT, LEFT, TOP, GAP] = [250, 190, 46, 44, 34];
const IN_A_ROW = 3;
/** Distinguishable in light and dark, and by people who see fewer colours. */
const COLOURS = ['#3b7dd8', '#d9822b', '#2a9d6f'];

const short = (value: number): string => {
  const units = [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const;
  const [size, letter] = units.find(([least]) => value >= least) ?? [1, ''];
  return `${Number((value / size).toPrecision(3))}${letter}`;
};

const binary = (value: number): string => (value >= 1024 ? `${value / 1024}k` : String(value));

/** Powers of `base` from the one below the least value to the one above the largest. */
function powers(values: readonly number[], base: number): number[] {
  const [from, to] = [Math.floor(log(Math.min(...values), base)), Math.ceil(log(Math.max(...values), base))];
  return Array.from({ length: Math.max(1, to - from) + 1 }, (_, i) => base ** (from + i));
}

const log = (value: number, base: number) => Math.log(value) / Math.log(base);

/** Panels, three in a row, as one SVG, readable on light and dark pages. */
export function plot(panels: readonly Panel[]): string {
  const [across, down] = [LEFT + WIDTH + GAP, TOP + HEIGHT + 74];
  const width = Math.min(IN_A_ROW, panels.length) * across;
  const height = Math.ceil(panels.length / IN_A_ROW) * down;
  const place = (i: number) => `${(i % IN_A_ROW) * across + LEFT} ${Math.floor(i / IN_A_ROW) * down + TOP}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="11" fill="#808080">`,
    ...panels.map((panel, i) => `<g transform="translate(${place(i)})">${drawn(panel)}</g>`),
    '</svg>',
    '',
  ].join('\n');
}

function drawn({ title, unit, x: xName, curves }: Panel): string {
  const points = curves.flatMap((curve) => curve.points);
  const [xs, ys] = [
    powers(
      points.map(([x]) => x),
      2,
    ),
    powers(
      points.map(([, y]) => y),
      10,
    ),
  ];
  const place = (value: number, ticks: readonly number[], size: number) => {
    const [first, last] = [ticks[0] as number, ticks.at(-1) as number];
    return (Math.log(value / first) / Math.log(last / first)) * size;
  };
  const [x, y] = [(value: number) => place(value, xs, WIDTH), (value: number) => HEIGHT - place(value, ys, HEIGHT)];
  const text = (at: readonly [number, number], words: string, more = '') =>
    `<text x="${at[0].toFixed(1)}" y="${at[1].toFixed(1)}" ${more}>${words}</text>`;
  const line = (from: readonly [number, number], to: readonly [number, number]) =>
    `<path d="M${from.map((n) => n.toFixed(1)).join(' ')}L${to.map((n) => n.toFixed(1)).join(' ')}" stroke="#808080" stroke-opacity=".25"/>`;
  return [
    text([-LEFT + 6, -28], title, 'font-weight="600"'),
    text([-LEFT + 6, -14], unit),
    ...ys.map((value) => line([0, y(value)], [WIDTH, y(value)]) + text([-5, y(value) + 4], short(value), 'text-anchor="end"')),
    ...xs.map((value, i) => (i % 2 === 0 ? text([x(value), HEIGHT + 14], binary(value), 'text-anchor="middle"') : '')),
    text([WIDTH / 2, HEIGHT + 29], xName, 'text-anchor="middle"'),
    ...curves.map(({ points: own }, i) => {
      const path = own.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
      const dots = own.map(
        ([at, value]) => `<circle cx="${x(at).toFixed(1)}" cy="${y(value).toFixed(1)}" r="2.2" fill="${COLOURS[i]}"/>`,
      );
      return `<polyline points="${path}" fill="none" stroke="${COLOURS[i]}" stroke-width="1.6"/>${dots.join('')}`;
    }),
    ...curves.map(({ name }, i) => text([i * (WIDTH / curves.length), HEIGHT + 48], name, `fill="${COLOURS[i]}"`)),
  ].join('\n');
}
