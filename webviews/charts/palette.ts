/** Themes differ in what "nothing" looks like: the neutral end of a scale is close to the editor's background. */
export type Ground = 'dark' | 'light';

/** 256 colours as RGBA bytes. */
export type Table = Uint8ClampedArray<ArrayBuffer>;

export const TABLE_SIZE = 256;

/** OKLCH: lightness 0…1, chroma, hue in degrees (Ottosson 2020, bottosson.github.io/posts/oklab). */
type Lch = readonly [lightness: number, chroma: number, hue: number];

/**
 * Magnitudes: lightness rises evenly and hue goes violet → blue → green → yellow, so order survives without hue
 * (colour-blind readers, grey print). On light ground the order turns: nothing is paper, much is ink.
 */
const SEQUENTIAL: Record<Ground, readonly Lch[]> = {
  dark: [
    [0.24, 0.03, 290],
    [0.36, 0.12, 290],
    [0.5, 0.12, 250],
    [0.64, 0.11, 195],
    [0.79, 0.16, 145],
    [0.95, 0.16, 105],
  ],
  light: [
    [0.975, 0.02, 105],
    [0.86, 0.12, 115],
    [0.7, 0.13, 155],
    [0.55, 0.1, 210],
    [0.4, 0.13, 265],
    [0.26, 0.13, 295],
  ],
};

/** Signed values: blue and orange differ for every common kind of colour blindness; both ends are equally light. */
const DIVERGING: Record<Ground, readonly Lch[]> = {
  dark: [
    [0.87, 0.09, 235],
    [0.68, 0.15, 245],
    [0.46, 0.12, 252],
    [0.235, 0, 0],
    [0.46, 0.12, 45],
    [0.7, 0.16, 52],
    [0.88, 0.1, 75],
  ],
  light: [
    [0.33, 0.12, 262],
    [0.52, 0.16, 252],
    [0.77, 0.1, 240],
    [0.985, 0, 0],
    [0.8, 0.11, 62],
    [0.6, 0.16, 45],
    [0.37, 0.11, 35],
  ],
};

/** Not a number and infinite: in neither table, and hatched where there is room. */
export const NOT_FINITE: Record<Ground, readonly [number, number, number]> = { dark: [255, 64, 208], light: [200, 0, 150] };

const tables = new Map<string, Table>();

export function table(kind: 'sequential' | 'diverging', ground: Ground): Table {
  const key = `${kind} ${ground}`;
  const made = tables.get(key) ?? interpolate((kind === 'sequential' ? SEQUENTIAL : DIVERGING)[ground]);
  tables.set(key, made);
  return made;
}

/** Colours for marks of one sign, as CSS: halfway to the ends of the diverging table, so that bars and cells agree. */
export function signs(ground: Ground): { readonly negative: string; readonly positive: string } {
  const colours = table('diverging', ground);
  const css = (at: number) => `rgb(${colours.slice(4 * at, 4 * at + 3).join(' ')})`;
  const sixth = Math.round((TABLE_SIZE - 1) / 6);
  return { negative: css(sixth), positive: css(TABLE_SIZE - 1 - sixth) };
}

/** Straight lines in OKLab through the anchors: even steps look even. */
function interpolate(anchors: readonly Lch[]): Table {
  const labs = anchors.map(([l, c, h]) => [l, c * Math.cos((h * Math.PI) / 180), c * Math.sin((h * Math.PI) / 180)] as const);
  const bytes = new Uint8ClampedArray(4 * TABLE_SIZE);
  for (let i = 0; i < TABLE_SIZE; i++) {
    const at = (i / (TABLE_SIZE - 1)) * (labs.length - 1);
    const from = Math.min(Math.floor(at), labs.length - 2);
    const [a, b] = [labs[from] ?? [0, 0, 0], labs[from + 1] ?? [0, 0, 0]];
    const mix = (k: 0 | 1 | 2) => a[k] + (b[k] - a[k]) * (at - from);
    bytes.set([...srgb(mix(0), mix(1), mix(2)), 255], 4 * i);
  }
  return bytes;
}

/** OKLab → sRGB bytes, out-of-gamut channels clipped. */
function srgb(lightness: number, a: number, b: number): [number, number, number] {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    gamma(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    gamma(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    gamma(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

const gamma = (u: number): number => {
  const x = Math.min(1, Math.max(0, u));
  return 255 * (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055);
};
