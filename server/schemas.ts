import { z } from 'zod';
import { MOST_EDGES } from './protocol/attention.js';
import { runDtypes } from './protocol/models.js';
import type { Method, Params } from './protocol/requests.js';

/** A tile travels as one message of at most 1 MB. */
const MAX_TILE_CELLS = 1 << 18;

/** Tokens of a stretch of text travel as objects. */
const MAX_WINDOW = 1 << 14;
const MAX_TEXT = 1 << 26;

const path = z.string().min(1).max(4096);
const id = z.string().min(1).max(200);
const index = z.number().int().nonnegative();
const count = z.number().int().positive();
const side = count.max(4096);
const text = z.string().max(MAX_TEXT);
const version = z.number().int();
const vocabularies = z.array(path).min(1).max(4);
const hubModel = z.strictObject({ model: path, revision: z.string().max(200).nullable(), variant: path.nullable() });
const probes = z.array(z.string().min(1).max(200)).max(4096);
const part = z.union([z.enum(['embed', 'head', 'graph']), index]);
const tensor = z.string().min(1).max(1000);
const stored = z.strictObject({ path, tensor });
const tokenCount = count.max(1 << 22);
const batchSize = count.max(4096);
const pixels = z.tuple([count.max(1 << 15), count.max(1 << 15)]).optional();
const fitted = z.strictObject({ path, tokens: tokenCount, batch: batchSize, dtype: z.enum(runDtypes), pixels });
const empty = z.strictObject({});
const run = z.strictObject({ run: id });
const layer = run.extend({ layer: index });
const head = layer.extend({ head: index });

const pool = z.enum(['mean', 'max']);
/** 2^24 tokens in a cell. */
const MAX_LEVEL = 24;

const isTile = (size: { rows: number; cols: number }) => size.rows * size.cols <= MAX_TILE_CELLS;
const TOO_LARGE = `expected at most ${MAX_TILE_CELLS} cells (rows × cols)`;

const sampling = z.strictObject({
  temperature: z.number().min(0).max(100),
  topK: count.nullable(),
  topP: z.number().gt(0).max(1).nullable(),
  seed: z.number().int().nullable(),
});

const recipe = z
  .strictObject({
    path,
    prompt: z
      .string()
      .max(1 << 24)
      .nullable(),
    ids: z
      .array(index)
      .max(1 << 22)
      .nullable(),
    image: path.optional(),
    inputs: path.optional(),
    chat: z.boolean(),
    maxTokens: index.max(1 << 22),
    sampling,
    branch: z.strictObject({ run: id, token: index }).nullable(),
    dtype: z.enum(runDtypes).exactOptional(),
  })
  .refine(
    ({ prompt, ids, image, inputs }) =>
      [prompt, ids, image ?? null, inputs ?? null].filter((given) => given !== null).length === 1,
    'expected a prompt, or ids, or an image, or a file of inputs',
  );

/** What the server accepts, by method. A method without its schema does not compile. */
export const schemas: { readonly [M in Method]: z.ZodType<Params<M>> } = {
  'lab/doctor': empty,
  'models/find': z.strictObject({ folders: z.array(path).max(1000) }),
  'models/inspect': z.strictObject({ path }),
  'models/open': z.strictObject({ path }),
  'models/command': z.strictObject({
    verb: z.enum(['inspect', 'weights', 'diff']).exactOptional(),
    path,
    options: z.array(z.string().max(4096)).max(20),
  }),
  'models/close': z.strictObject({ model: id }),
  'models/list': empty,
  'hub/preview': hubModel,
  'hub/download': hubModel,
  'hub/token': z.strictObject({ token: z.string().min(1).max(1000).nullable() }),
  'tokens/encode': z.strictObject({ model: id, text: z.string().max(1 << 24), chat: z.boolean() }),
  'tokens/vocabularies': z.strictObject({ folders: z.array(path).max(1000) }),
  'tokens/sync': z.strictObject({
    document: path,
    version,
    base: version.nullable(),
    length: index,
    text: text.nullable(),
    changes: z.array(z.strictObject({ from: index, to: index, text })).max(10_000),
  }),
  'tokens/compare': z.strictObject({ document: path, version, vocabularies, file: path.nullable() }),
  'tokens/window': z
    .strictObject({ document: path, version, vocabularies, from: index, to: index })
    .refine(({ from, to }) => from <= to && to - from <= MAX_WINDOW, `expected at most ${MAX_WINDOW} units`),
  'tokens/merges': z.strictObject({ vocabulary: path, id: index }),
  'runs/start': recipe,
  'runs/stop': run,
  'runs/remove': run,
  'runs/list': empty,
  'runs/get': run,
  'runs/divergence': run,
  'runs/branch': run.extend({ token: index, id: index }),
  'runs/export': run.extend({ file: path, probes }),
  'runs/picture': run,
  'runs/outputs': run,
  'runs/command': run.extend({ probes }),
  'probe/read': run.extend({ probe: z.string().min(1).max(200) }),
  'attention/thumbnails': layer.extend({ count, sample: z.boolean() }),
  'attention/preview': head.extend({ count, pool }),
  'attention/tile': head.extend({ count, level: index.max(MAX_LEVEL), row: index, col: index, pool }),
  'attention/column': head.extend({ key: index, count }),
  'attention/edges': layer.extend({ count, most: count.max(MOST_EDGES) }),
  'attention/row': head.extend({ query: index }),
  'attention/cell': head.extend({ query: index, key: index }),
  'cache/overview': run,
  'cache/map': layer.extend({ state: z.string() }),
  'cache/received': layer,
  'cache/slice': layer.extend({ kvHead: index, token: index }),
  'state/overview': run,
  'state/series': layer.extend({ state: id, group: index }),
  'state/ranks': layer.extend({ state: id, group: index }),
  'state/step': layer.extend({ state: id, group: index, token: index, against: index.nullable() }),
  'weights/tensor': z.strictObject({ path, tensor, rows: side, cols: side, bins: count.max(4096) }).refine(isTile, TOO_LARGE),
  'weights/spectrum': stored,
  'weights/channels': stored,
  'weights/quantisation': stored,
  'weights/product': run.extend({ tensor, token: index, directions: count.max(64) }),
  'weights/diff': z.strictObject({ a: path, b: path }),
  'weights/diffTensor': z
    .strictObject({ a: path, b: path, tensor, rows: side, cols: side, bins: count.max(4096) })
    .refine(isTile, TOO_LARGE),
  'model/outline': z.strictObject({ path }),
  'model/segment': z.strictObject({ path, tower: z.string().max(200), part, shown: index, tokens: tokenCount.nullable() }),
  'graph/value': run.extend({ probe: z.string().min(1).max(200), token: index, side: count.max(256) }),
  'graph/norms': run.extend({ probes, token: index }),
  'graph/flow': run.extend({ token: index }),
  'fit/machines': empty,
  'fit/predict': fitted.extend({ machine: id }),
  'fit/measure': fitted,
  'language/active': z.strictObject({ model: id.nullable(), run: id.nullable(), layer: index }),
};
