import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { readImage } from '../../server/image/image.js';
import { prepare } from '../../server/image/preprocess.js';
import { readOracle } from '../fixtures/readOracle.js';

const images = path.resolve(import.meta.dirname, '../fixtures/images');
const decoded = await readOracle(path.join(images, 'decoded.safetensors'));
const prepared = await readOracle(path.join(images, 'prepared.safetensors'));
const cases: Readonly<Record<string, { image: string; config: Record<string, unknown> }>> = JSON.parse(
  readFileSync(path.join(images, 'prepared.json'), 'utf8'),
);

for (const [name, expected] of decoded)
  test(`${name} has Pillow's pixels`, async () => {
    const { width, height, data } = await readImage(path.join(images, name));
    assert.deepEqual([height, width, 3], expected.shape);
    assert.deepEqual(data, Uint8Array.from(expected.data));
  });

for (const [name, { image, config }] of Object.entries(cases))
  test(`${name}: prepared as transformers does`, async () => {
    const { shape, pixels } = prepare(await readImage(path.join(images, image)), config);
    const expected = prepared.get(name) as { shape: number[]; data: Float32Array };
    assert.deepEqual([...shape], expected.shape);
    assert.deepEqual(pixels, Float32Array.from(expected.data));
  });

const folder = mkdtempSync(path.join(tmpdir(), 'model-lab-image-'));
const file = (name: string, bytes: Uint8Array) => {
  writeFileSync(path.join(folder, name), bytes);
  return path.join(folder, name);
};
const kite = readFileSync(path.join(images, 'kite.png'));
const huge = Buffer.from(kite);
huge.writeUInt32BE(60_000, 16);
huge.writeUInt32BE(60_000, 20);

const inks = readFileSync(path.join(images, 'inks.jpg'));
const arithmetic = readFileSync(path.join(images, 'full.jpg'));
arithmetic[arithmetic.indexOf(Uint8Array.of(0xff, 0xc0)) + 1] = 0xc9;

for (const [what, name, code] of [
  ['a PNG cut short', path.join(images, 'short.png'), 'IMAGE_INVALID'],
  ['a JPEG cut short', path.join(images, 'short.jpg'), 'IMAGE_INVALID'],
  ['a JPEG of four inks cut short', file('inks.jpg', inks.subarray(0, 1500)), 'IMAGE_UNSUPPORTED'],
  ['an arithmetic JPEG', file('arithmetic.jpg', arithmetic), 'IMAGE_UNSUPPORTED'],
  ['a text', file('text.png', Buffer.from('hello')), 'IMAGE_UNKNOWN'],
  ['an empty file', file('empty.jpg', new Uint8Array()), 'IMAGE_UNKNOWN'],
  ['the start of a JPEG', file('start.jpg', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)), 'IMAGE_INVALID'],
  ['a PNG that claims 3.6 billion pixels', file('huge.png', huge), 'IMAGE_TOO_BIG'],
  [
    'a PNG with a wrong checksum',
    file(
      'sum.png',
      kite.map((byte, i) => (i === 60 ? byte ^ 1 : byte)),
    ),
    'IMAGE_INVALID',
  ],
  ['nothing', path.join(folder, 'nothing.png'), 'FILE_NOT_FOUND'],
  ['a folder', folder, 'FILE_UNREADABLE'],
] as const)
  test(`${what}: ${code}`, () => assert.rejects(readImage(name), { code }));

test('a named pipe that nobody writes to: FILE_UNREADABLE', { skip: process.platform === 'win32' }, async () => {
  const pipe = path.join(folder, 'pipe.png');
  execFileSync('mkfifo', [pipe]);
  await assert.rejects(readImage(pipe), { code: 'FILE_UNREADABLE' });
});

test('JPEGs are read beside and after damaged ones', async () => {
  const names = ['full', 'short', 'half', 'short', 'grey', 'quarter'];
  const all = await Promise.allSettled(names.map((name) => readImage(path.join(images, `${name}.jpg`))));
  for (const [i, name] of names.entries()) assert.equal(all[i]?.status, name === 'short' ? 'rejected' : 'fulfilled', name);
});

const image = await readImage(path.join(images, 'kite.png'));
for (const [what, config, key] of [
  ['no file', null, 'preprocessor_config.json'],
  ['an unknown processor that leaves things open', { image_processor_type: 'FlavaImageProcessor' }, 'do_resize'],
  ['a size of nothing', { image_processor_type: 'ViTImageProcessor', size: { height: 0, width: 3 } }, 'size'],
  ['a filter that is none', { image_processor_type: 'ViTImageProcessor', resample: 9 }, 'resample'],
  ['a size of the longest side alone', { image_processor_type: 'ViTImageProcessor', size: { longest_edge: 32 } }, 'size'],
  ['an image that becomes empty', { image_processor_type: 'ViTImageProcessor', size: { max_height: 1, max_width: 1 } }, 'size'],
  ['padding to less than there is', { image_processor_type: 'ViTImageProcessor', do_pad: true, pad_size: 9 }, 'pad_size'],
  ['patches of any shape', { image_processor_type: 'Siglip2ImageProcessorFast' }, 'NaFlex'],
  ['two means', { image_processor_type: 'ViTImageProcessor', image_mean: [0.5, 0.5] }, 'image_mean'],
] as const)
  test(`${what} is told`, () =>
    assert.throws(
      () => prepare(image, config),
      (error: { code: string; message: string }) => {
        assert.match(error.code, /^PREPROCESSOR_/);
        return error.message.includes(key);
      },
    ));

test('a file that names no processor is read as that of the model', () => {
  const config = { do_resize: true, do_normalize: true, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5], size: 20 };
  const named = prepare(image, { ...config, image_processor_type: 'ViTImageProcessor' });
  assert.deepEqual(prepare(image, config, 'vit').pixels, named.pixels);
  assert.equal(
    prepare(image, { size: 20 }, 'clip').shape.join(),
    '3,224,224',
    'the shorter side, then the middle, with black around it',
  );
  assert.throws(() => prepare(image, config, 'vim'), { code: 'PREPROCESSOR_INVALID' });
});
