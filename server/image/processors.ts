import { LabError } from '../protocol/errors.js';

export type Raw = Readonly<Record<string, unknown>>;

export const invalid = (key: string, value: unknown, expected: string) =>
  new LabError({
    code: 'PREPROCESSOR_INVALID',
    message: `preprocessor_config.json: ${key} is ${JSON.stringify(value) ?? 'missing'}, expected ${expected}.`,
    hint: `Correct ${key}; the model's page says what it should be. Or prepare the image yourself and give pixel_values.`,
  });

const missing = () =>
  new LabError({
    code: 'PREPROCESSOR_MISSING',
    message: 'There is no preprocessor_config.json beside these weights, so nobody knows how this model wants its images.',
    hint: 'Put it into the same folder, or prepare the image yourself and give pixel_values.',
  });

const unsupported = (kind: string, how: string) =>
  new LabError({
    code: 'PREPROCESSOR_UNSUPPORTED',
    message: `${kind}ImageProcessor ${how}, which Model Lab does not do.`,
    hint: 'Prepare the image yourself and give it with --inputs.',
  });

const half = { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };
const openAi = { image_mean: [0.48145466, 0.4578275, 0.40821073], image_std: [0.26862954, 0.26130258, 0.27577711] };
const always = { do_resize: true, do_rescale: true, do_normalize: true };
const square = (side: number) => ({ height: side, width: side });
const cropped = { size: { shortest_edge: 224 }, do_center_crop: true, crop_size: square(224), resample: 3 };
const shortest = { default_to_square: false };

/** What each processor of transformers does where its file is silent. */
const defaults: Readonly<Record<string, Raw>> = {
  ViT: { ...always, ...half, size: square(224), resample: 2 },
  DeiT: { ...always, ...half, ...cropped, size: square(256) },
  Beit: { ...always, ...half, size: square(224), crop_size: square(224), resample: 3 },
  CLIP: { ...always, ...openAi, ...cropped, ...shortest },
  ChineseCLIP: { ...always, ...openAi, ...cropped, ...shortest },
  Bit: { ...always, ...openAi, ...cropped, ...shortest },
  Siglip: { ...always, ...half, size: square(224), resample: 3, ...shortest },
  ConvNext: { ...always, ...half, size: { shortest_edge: 384 }, resample: 3, crop_pct: 224 / 256, ...shortest },
};

/** Processors that do what no setting says. */
const others: Readonly<Record<string, string>> = {
  Siglip2: 'cuts an image of any shape into patches (NaFlex)',
  DINOv3ViT: 'resizes in floating point',
};

/** The processor of a model whose file names none, as files of 2021 do. */
const byModel: readonly (readonly [RegExp, string])[] = [
  [/^vit(_|$)/, 'ViT'],
  [/^deit/, 'DeiT'],
  [/^beit/, 'Beit'],
  [/^dinov2/, 'Bit'],
  [/^clip/, 'CLIP'],
  [/^siglip(_|$)/, 'Siglip'],
];

/** What only some processors read, as the others have it. */
const passedOver = (kind: string): Raw => ({
  ...(kind !== 'ConvNext' && { crop_pct: undefined }),
  ...((kind === 'ConvNext' || kind === 'Beit') && { do_pad: false }),
});

/** Keys that decide everything: a processor nobody knows must say them itself. */
const DECIDED = ['do_resize', 'do_rescale', 'do_normalize'];

/** The file over the defaults of its processor; Errors: PREPROCESSOR_*. */
export function settingsOf(config: Raw | null, modelType: string | null): Raw {
  if (config === null) throw missing();
  const nested = config.image_processor;
  const own = typeof nested === 'object' && nested !== null ? (nested as Raw) : config;
  // a switch that is null is off; a number that is null is not said
  const entries = Object.entries(own).map(
    ([key, value]) => [key, value === null && /^do_|^default_/.test(key) ? false : value] as const,
  );
  const said: Raw = Object.fromEntries(entries.filter(([, value]) => value !== null));
  const type = said.image_processor_type ?? said.feature_extractor_type;
  const kind =
    typeof type === 'string'
      ? type.replace(/(ImageProcessor|FeatureExtractor)(Fast|Pil)?$/, '')
      : (byModel.find(([pattern]) => pattern.test(modelType ?? ''))?.[1] ?? '');
  const known = defaults[kind];
  if (others[kind]) throw unsupported(kind, others[kind]);
  if (!known) checkComplete(kind, said);
  const square224 = kind === 'CLIP' && said.use_square_size ? { size: square(224) } : {};
  return { rescale_factor: 1 / 255, ...known, ...said, ...square224, ...passedOver(kind) };
}

function checkComplete(kind: string, said: Raw): void {
  const undecided = DECIDED.find((key) => typeof said[key] !== 'boolean');
  if (undecided)
    throw invalid(undecided, said[undecided], `true or false, since ${kind || 'the processor'} has no known defaults`);
  for (const key of ['do_pad', 'do_splitting', 'crop_pct'])
    if (said[key])
      throw invalid(key, said[key], `nothing, since Model Lab does not know how ${kind || 'the processor'} does that`);
}
