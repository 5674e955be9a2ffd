/**
 * Text that was derived from an original, with where each of its UTF-16 units came from: unit i stands for the original's
 * [starts[i], ends[i]). Inserted units have start = end.
 */
export interface Aligned {
  readonly text: string;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

export function identity(text: string, base: number): Aligned {
  const starts = new Int32Array(text.length);
  const ends = new Int32Array(text.length);
  for (let i = 0; i < text.length; i++) {
    starts[i] = base + i;
    ends[i] = base + i + 1;
  }
  return { text, starts, ends };
}

export function slice(aligned: Aligned, from: number, to: number): Aligned {
  return { text: aligned.text.slice(from, to), starts: aligned.starts.subarray(from, to), ends: aligned.ends.subarray(from, to) };
}

/** Replaces the text by one of the same length, unit by unit. */
export const relabel = (aligned: Aligned, text: string): Aligned => ({ ...aligned, text });

/**
 * What composes or moves together under Unicode normalisation (a base with its marks, conjoining jamo), and runs of one kind of
 * white space, which some normalisers collapse.
 */
const CLUSTER = /(\s)\1*|\S[\p{M}\u1160-\u11FF\u200D]*/gu;

type Chunk = readonly [source: string, derived: string];

/** Splits `text` into the smallest chunks whose normalisations, joined, are the normalisation of the whole. */
function chunksOf(text: string, normalise: (text: string) => string): readonly Chunk[] {
  const whole = normalise(text);
  const memo = new Map<string, string>();
  const chunks = Array.from(text.matchAll(CLUSTER), ([source]): Chunk => {
    const derived = memo.get(source) ?? normalise(source);
    memo.set(source, derived);
    return [source, derived];
  });
  if (chunks.map(([, derived]) => derived).join('') === whole) return chunks;
  // Some rule reaches across clusters: narrow it down, so that it blurs offsets only where it acts.
  const middle = Math.ceil(chunks.length / 2);
  const cut = chunks.slice(0, middle).reduce((length, [source]) => length + source.length, 0);
  const left = text.slice(0, cut);
  const right = text.slice(cut);
  if (chunks.length < 2 || normalise(left) + normalise(right) !== whole) return [[text, whole]];
  return [...chunksOf(left, normalise), ...chunksOf(right, normalise)];
}

function join(chunks: readonly Chunk[], base: number): Aligned {
  const text = chunks.map(([, derived]) => derived).join('');
  const starts = new Int32Array(text.length);
  const ends = new Int32Array(text.length);
  let from = base;
  let at = 0;
  for (const [source, derived] of chunks) {
    const unitwise = source.length === derived.length;
    for (let i = 0; i < derived.length; i++, at++) {
      starts[at] = unitwise ? from + i : from;
      ends[at] = unitwise ? from + i + 1 : from + source.length;
    }
    from += source.length;
  }
  return { text, starts, ends };
}

/**
 * Aligns a normalised text with its original without knowing the normaliser.
 * @param base offset of `text` in the original
 * @param normalised what the tokenizer's normaliser made of the whole of `text`
 * @param local the same normaliser without what acts at the ends only (a prepended mark, stripping)
 */
export function alignNormalised(text: string, base: number, normalised: string, local: (text: string) => string): Aligned {
  if (normalised === text) return identity(text, base);
  const inner = join(chunksOf(text, local), base);
  const inserted = normalised.endsWith(inner.text) ? normalised.length - inner.text.length : normalised.indexOf(inner.text);
  if (inserted >= 0) return pad(inner, normalised, inserted, base, base + text.length);
  const stripped = inner.text.indexOf(normalised);
  if (stripped >= 0) return slice(inner, stripped, stripped + normalised.length);
  return join([[text, normalised]], base);
}

/** Adds what the normaliser put before and after: those units stand for no text. */
function pad(inner: Aligned, normalised: string, before: number, from: number, to: number): Aligned {
  if (inner.text.length === normalised.length) return inner;
  const starts = new Int32Array(normalised.length).fill(to);
  const ends = new Int32Array(normalised.length).fill(to);
  starts.fill(from, 0, before).set(inner.starts, before);
  ends.fill(from, 0, before).set(inner.ends, before);
  return { text: normalised, starts, ends };
}
