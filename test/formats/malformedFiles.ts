import {
  architecture,
  bytes,
  f32,
  ggufFile,
  ggufPair,
  ggufTensor,
  ggufText,
  onnxFile,
  onnxTensor,
  op,
  pickledDict,
  pickledTensor,
  proto,
  pthFile,
  safetensorsFile,
  u16,
  u32,
  u64,
  zipFile,
} from './craft.js';

/** How torch.save began a file before PyTorch 1.6: a pickled integer. */
const legacyMagic = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');

type Files = Readonly<Record<string, Uint8Array | string>>;

/** A good tensor of 16 bytes at `begin`. */
const tensor = (begin = 0) => ({ dtype: 'F32', shape: [2, 2], data_offsets: [begin, begin + 16] });
const deep = (depth: number) => '['.repeat(depth);
const notUtf8 = Uint8Array.of(0x61, 0xff, 0x62);

/** Malformed .safetensors files, by name. */
const safetensors: Files = {
  'empty.safetensors': '',
  'length-cut-short.safetensors': bytes(1, 2, 3),
  'header-cut-short.safetensors': bytes(u64(1000), '{"a":{"dtype":"F32"'),
  'header-longer-than-file.safetensors': bytes(u64(99_000_000), '{"a":1}'),
  'header-over-limit.safetensors': bytes(u64(2n ** 63n), '{}'),
  'header-empty.safetensors': bytes(u64(0)),
  'header-zeros.safetensors': bytes(u64(64), new Uint8Array(64)),
  'header-is-a-list.safetensors': safetensorsFile('[1]'),
  'header-not-json.safetensors': safetensorsFile('{"a": tensor}'),
  'header-unfinished.safetensors': safetensorsFile('{"a": {"dtype": "F32", '),
  'header-two-values.safetensors': safetensorsFile('{} {}'),
  'header-bad-utf8.safetensors': safetensorsFile(bytes('{"', notUtf8, '": 1}')),
  'header-nan.safetensors': safetensorsFile('{"a": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 4]}}', 4),
  'header-nested.safetensors': safetensorsFile(`{"a": ${deep(100_000)}`),
  'name-twice.safetensors': safetensorsFile(`{"a": ${JSON.stringify(tensor())}, "\\u0061": ${JSON.stringify(tensor(16))}}`, 32),
  'dtype-unknown.safetensors': safetensorsFile({ a: { ...tensor(), dtype: 'F31' } }, 16),
  'dtype-missing.safetensors': safetensorsFile({ a: { shape: [2, 2], data_offsets: [0, 16] } }, 16),
  'range-missing.safetensors': safetensorsFile({ a: { dtype: 'F32', shape: [2, 2] } }, 16),
  'tensor-null.safetensors': safetensorsFile({ a: null }),
  'range-reversed.safetensors': safetensorsFile({ a: { ...tensor(), data_offsets: [16, 0] } }, 16),
  'range-negative.safetensors': safetensorsFile({ a: { ...tensor(), data_offsets: [-16, 0] } }, 16),
  'range-beyond-file.safetensors': safetensorsFile({ a: tensor(), b: tensor(16) }, 24),
  'range-enormous.safetensors': safetensorsFile({ a: { ...tensor(), data_offsets: [0, 1e300] } }, 16),
  'tensors-overlap.safetensors': safetensorsFile({ a: tensor(), b: tensor(8) }, 24),
  'size-mismatch.safetensors': safetensorsFile({ a: { ...tensor(), shape: [2, 3] } }, 24),
  'shape-negative.safetensors': safetensorsFile({ a: { ...tensor(), shape: [-2, -2] } }, 16),
  'shape-fractional.safetensors': safetensorsFile({ a: { ...tensor(), shape: [0.5, 8] } }, 16),
  'shape-text.safetensors': safetensorsFile({ a: { ...tensor(), shape: ['2', 2] } }, 16),
  'shape-overflow.safetensors': safetensorsFile({ a: { ...tensor(), shape: [2 ** 31, 2 ** 31] } }, 16),
  'shape-many-axes.safetensors': safetensorsFile({ a: { ...tensor(), shape: new Array(17).fill(1) } }, 16),
};

/** A folder: other files beside a good model.safetensors. */
const folder = (name: string, files: Files): Files => ({
  [`${name}/model.safetensors`]: safetensorsFile({ a: tensor() }, 16),
  ...Object.fromEntries(Object.entries(files).map(([file, content]) => [`${name}/${file}`, content])),
});
const sharded = (name: string, index: unknown): Files => ({
  [`${name}/one.safetensors`]: safetensorsFile({ a: tensor() }, 16),
  [`${name}/model.safetensors.index.json`]: JSON.stringify(index),
});

const folders: Readonly<Record<string, Files>> = {
  'no-weights': { 'no-weights/config.json': '{}' },
  'config-nan': folder('config-nan', { 'config.json': '{"hidden_size": 64, "rms_norm_eps": NaN}' }),
  'config-infinity': folder('config-infinity', { 'config.json': '{"rope_theta": -Infinity}' }),
  'config-overflow': folder('config-overflow', { 'config.json': '{"rope_theta": 1e999}' }),
  'config-negative': folder('config-negative', { 'config.json': '{"hidden_size": -64}' }),
  'config-huge': folder('config-huge', { 'config.json': '{"vocab_size": 1e15}' }),
  'config-fraction': folder('config-fraction', { 'config.json': '{"num_hidden_layers": 2.5}' }),
  'config-list': folder('config-list', { 'config.json': '[]' }),
  'config-empty': folder('config-empty', { 'config.json': '' }),
  'config-cut-short': folder('config-cut-short', { 'config.json': '{"hidden_size": 64, "num' }),
  'config-bad-utf8': folder('config-bad-utf8', { 'config.json': bytes('{"', notUtf8, '": 1}') }),
  'config-key-twice': folder('config-key-twice', { 'config.json': '{"hidden_size": 64, "hidden_size": 128}' }),
  'config-nested': folder('config-nested', { 'config.json': `{"a": ${deep(100_000)}` }),
  'generation-not-json': folder('generation-not-json', { 'generation_config.json': 'greedy' }),
  'tokenizer-bad-utf8': folder('tokenizer-bad-utf8', { 'tokenizer.json': bytes('{}', notUtf8) }),
  'template-not-json': folder('template-not-json', { 'tokenizer.json': '{}', 'chat_template.json': '{"chat_template"' }),
  'shard-missing': sharded('shard-missing', { weight_map: { a: 'one.safetensors', b: 'two.safetensors' } }),
  'shard-elsewhere': sharded('shard-elsewhere', { weight_map: { a: '../one.safetensors' } }),
  'shard-not-a-name': sharded('shard-not-a-name', { weight_map: { a: 7 } }),
  'shard-without-tensor': sharded('shard-without-tensor', { weight_map: { a: 'one.safetensors', b: 'one.safetensors' } }),
  'index-without-map': sharded('index-without-map', { metadata: {} }),
  'index-not-json': { ...sharded('index-not-json', {}), 'index-not-json/model.safetensors.index.json': '{' },
};

const arch = architecture('llama');
/** An array value: item type, claimed length, items. */
const array = (type: number, length: number | bigint, ...items: Uint8Array[]) => bytes(u32(type), u64(length), ...items);
const good = ggufTensor('a', [4], 0, 0);

const gguf: Files = {
  'empty.gguf': '',
  'magic.gguf': bytes('GGML', u32(3), u64(0), u64(0)),
  'cut-in-counts.gguf': bytes('GGUF', u32(3), u64(0)),
  'cut-in-metadata.gguf': ggufFile({ pairs: [arch] }).subarray(0, 40),
  'version-1.gguf': ggufFile({ version: 1 }),
  'version-9.gguf': ggufFile({ version: 9 }),
  'big-endian.gguf': ggufFile({ version: 0x03000000 }),
  'tensor-count-huge.gguf': ggufFile({ tensorCount: 2n ** 60n }),
  'pair-count-huge.gguf': ggufFile({ pairCount: 2n ** 63n }),
  'key-longer-than-file.gguf': ggufFile({ pairs: [bytes(u64(2n ** 40n), 'k')] }),
  'key-bad-utf8.gguf': ggufFile({ pairs: [ggufPair(notUtf8, 4, u32(1))] }),
  'key-twice.gguf': ggufFile({ pairs: [arch, arch] }),
  'type-unknown.gguf': ggufFile({ pairs: [ggufPair('k', 77, u32(0))] }),
  'text-bad-utf8.gguf': ggufFile({ pairs: [ggufPair('k', 8, ggufText(notUtf8))] }),
  'array-of-2^40.gguf': ggufFile({ pairs: [ggufPair('k', 9, array(4, 2n ** 40n))] }),
  'array-of-2-million.gguf': ggufFile({ pairs: [ggufPair('k', 9, array(0, 2_000_000, new Uint8Array(2_000_000)))] }),
  'array-of-unknown.gguf': ggufFile({ pairs: [ggufPair('k', 9, array(50, 1, u64(0), u64(0)))] }),
  'array-nested-100000.gguf': ggufFile({
    pairs: [bytes(ggufText('k'), u32(9), ...Array.from({ length: 100_000 }, () => array(9, 1)))],
  }),
  'alignment-zero.gguf': ggufFile({ pairs: [arch, ggufPair('general.alignment', 4, u32(0))] }),
  'alignment-48.gguf': ggufFile({ pairs: [arch, ggufPair('general.alignment', 4, u32(48))] }),
  'alignment-nan.gguf': ggufFile({ pairs: [arch, ggufPair('general.alignment', 6, f32(Number.NaN))] }),
  'architecture-missing.gguf': ggufFile({ tensors: [good], data: 16 }),
  'one-of-three.gguf': ggufFile({ pairs: [arch, ggufPair('split.count', 2, u16(3))] }),
  'tensor-name-bad-utf8.gguf': ggufFile({
    pairs: [arch],
    tensors: [bytes(u64(3), notUtf8, u32(1), u64(4), u32(0), u64(0))],
    data: 16,
  }),
  'tensor-twice.gguf': ggufFile({ pairs: [arch], tensors: [good, ggufTensor('a', [4], 0, 32)], data: 64 }),
  'tensor-type-unknown.gguf': ggufFile({ pairs: [arch], tensors: [ggufTensor('a', [4], 4, 0)], data: 16 }),
  'tensor-axes.gguf': ggufFile({ pairs: [arch], tensors: [ggufTensor('a', new Array(9).fill(1), 0, 0)], data: 16 }),
  'tensor-axes-2^31.gguf': ggufFile({ pairs: [arch], tensors: [bytes(ggufText('a'), u32(2 ** 31), u64(1), u32(0), u64(0))] }),
  'tensor-shape-overflow.gguf': ggufFile({ pairs: [arch], tensors: [ggufTensor('a', [2n ** 62n, 4], 0, 0)], data: 16 }),
  'tensor-half-block.gguf': ggufFile({ pairs: [arch], tensors: [ggufTensor('a', [48], 2, 0)], data: 64 }),
  'tensor-misaligned.gguf': ggufFile({ pairs: [arch], tensors: [ggufTensor('a', [4], 0, 8)], data: 64 }),
  'tensor-beyond-file.gguf': ggufFile({ pairs: [arch], tensors: [ggufTensor('a', [4], 0, 64)], data: 64 }),
  'tensor-offset-2^63.gguf': ggufFile({ pairs: [arch], tensors: [ggufTensor('a', [4], 0, 2n ** 63n)], data: 64 }),
  'tensors-overlap.gguf': ggufFile({
    pairs: [arch],
    tensors: [ggufTensor('a', [16], 0, 0), ggufTensor('b', [4], 0, 32)],
    data: 64,
  }),
  ...Object.fromEntries(
    (
      [
        ['epsilon-nan', 'attention.layer_norm_rms_epsilon', 6, f32(Number.NaN)],
        ['theta-infinite', 'rope.freq_base', 6, f32(Number.POSITIVE_INFINITY)],
        ['layers-negative', 'block_count', 5, u32(0xffffffff)],
        ['layers-enormous', 'block_count', 10, u64(2n ** 50n)],
        ['layers-a-text', 'block_count', 8, ggufText('many')],
        ['heads-by-layer', 'attention.head_count', 9, array(4, 2, u32(4), u32(8))],
        ['context-missing', 'unused', 4, u32(1)],
      ] as const
    ).map(([name, key, type, value]) => {
      const rest = [...'attention.head_count block_count feed_forward_length attention.layer_norm_rms_epsilon'.split(' ')]
        .filter((k) => k !== key)
        .map((k) => ggufPair(`llama.${k}`, 4, u32(2)));
      const context = name === 'context-missing' ? [] : [ggufPair('llama.context_length', 4, u32(64))];
      const pairs = [arch, ...rest, ...context, ggufPair(`llama.${key}`, type, value)];
      return [`${name}.gguf`, ggufFile({ pairs, tensors: [ggufTensor('token_embd.weight', [4, 4], 0, 0)], data: 64 })];
    }),
  ),
};

/** A pickle that ends with this instead of a state dict. */
const pickle = (...ops: Uint8Array[]) => pthFile(bytes(op.proto, ...ops, op.stop));
const call = (module: string, name: string) =>
  pickle(op.global(module, name), op.mark, op.text('touch /tmp/owned'), op.tuple, op.reduce);
const fine = pthFile(pickledDict(['a', pickledTensor()]));
const state = pickledDict(['a', pickledTensor()]);

const pth: Files = {
  'empty.pth': '',
  'not-a-zip.pth': 'import os; os.system("true")\n',
  'before-1.6-cut.pth': legacyMagic,
  'before-1.6-version.pth': bytes(legacyMagic, ...Array.from({ length: 4 }, () => bytes(0x80, 2, 'K', 5, '.'))),
  'cut-short.pth': fine.subarray(0, fine.length - 30),
  'cut-in-end-record.pth': fine.subarray(0, fine.length - 1),
  'no-pickle.pth': zipFile([{ name: 'm/data.txt', data: Buffer.from('hello') }]),
  'compressed.pth': zipFile([{ name: 'm/data.pkl', data: state, method: 8 }]),
  'encrypted.pth': zipFile([{ name: 'm/data.pkl', data: state, flags: 1 }]),
  'member-beyond-file.pth': zipFile([{ name: 'm/data.pkl', data: state, size: 1 << 30 }]),
  'member-elsewhere.pth': zipFile([{ name: 'm/data.pkl', data: state, local: 5 }]),
  'member-offset-beyond-file.pth': zipFile([{ name: 'm/data.pkl', data: state, local: 0x7fffffff }]),
  'members-overlap.pth': zipFile([
    { name: 'm/data.pkl', data: state },
    { name: 'm/data.pkm', data: new Uint8Array(16), local: 0 },
  ]),
  'member-twice.pth': zipFile([
    { name: 'm/data.pkl', data: state },
    { name: 'm/data.pkl', data: state },
  ]),
  'directory-beyond-file.pth': zipFile([{ name: 'm/data.pkl', data: state }], { start: 0x7ffffff0 }),
  'directory-of-more-entries.pth': zipFile([{ name: 'm/data.pkl', data: state }], { entries: 60_000 }),
  'zip64-without-record.pth': zipFile([{ name: 'm/data.pkl', data: state }], { entries: 0xffff }),
  'big-endian.pth': pthFile(state, [{ name: 'm/byteorder', data: Buffer.from('big') }]),
  'pickle-of-17-mb.pth': zipFile([{ name: 'm/data.pkl', data: new Uint8Array(17 << 20) }]),
  'pickle-empty.pth': pthFile(new Uint8Array(0)),
  'pickle-cut-short.pth': pthFile(state.subarray(0, state.length - 4)),
  'pickle-unknown-opcode.pth': pickle(bytes(0xff)),
  'pickle-text-beyond-end.pth': pickle(bytes('X', u32(2 ** 31), 'x')),
  'pickle-text-bad-utf8.pth': pickle(op.text(notUtf8)),
  'pickle-empty-stack.pth': pickle(),
  'pickle-no-mark.pth': pickle(op.tuple),
  'pickle-memo-miss.pth': pickle(bytes('h', 9)),
  'pickle-huge-integer.pth': pickle(bytes(0x8a, 255, new Uint8Array(255))),
  'pickle-endless-name.pth': pickle(bytes('c', 'x'.repeat(600))),
  'pickle-stack-bomb.pth': pthFile(bytes(op.proto, Buffer.alloc(1 << 20, 'N'))),
  'pickle-object-bomb.pth': pthFile(bytes(op.proto, op.emptyTuple, Buffer.alloc(1 << 18, 0x85), op.stop)),
  // A dictionary that holds itself, remembered and recalled.
  'pickle-cycle.pth': pickle(op.dict, bytes('q', 0), op.text('state_dict'), bytes('h', 0), op.setItem),
  'pickle-list-cycle.pth': pickle(bytes(']q', 0, 'h', 0, 'a')),
  'os-system.pth': call('os', 'system'),
  'posix-system.pth': call('posix', 'system'),
  'builtins-eval.pth': call('builtins', 'eval'),
  'builtins-getattr.pth': call('__builtin__', 'getattr'),
  'torch-load.pth': call('torch', 'load'),
  'stack-global.pth': pickle(bytes(0x8c, 2, 'os'), bytes(0x8c, 6, 'system'), bytes(0x93)),
  'stack-global-not-text.pth': pickle(op.dict, op.dict, bytes(0x93)),
  'reduce-storage.pth': pickle(op.global('torch', 'FloatStorage'), op.emptyTuple, op.reduce),
  'reduce-text.pth': pickle(op.text('os.system'), op.emptyTuple, op.reduce),
  'ordered-dict-from-arguments.pth': pickle(op.global('collections', 'OrderedDict'), op.mark, op.dict, op.tuple, op.reduce),
  'build-tensor.pth': pickle(pickledTensor(), op.dict, op.build),
  'newobj.pth': pickle(op.global('collections', 'OrderedDict'), op.emptyTuple, bytes(0x81)),
  'inst.pth': pickle(op.mark, bytes('ios\nsystem\n')),
  'obj.pth': pickle(op.mark, op.global('collections', 'OrderedDict'), bytes('o')),
  'extension.pth': pickle(bytes(0x82, 1)),
  'persistent-not-storage.pth': pickle(op.text('x'), op.persistent),
  'no-tensors.pth': pthFile(pickledDict(['epoch', op.int(3)])),
  'storage-missing.pth': pthFile(pickledDict(['a', pickledTensor({ key: '7' })])),
  'storage-too-small.pth': pthFile(pickledDict(['a', pickledTensor({ elements: 400, shape: [20, 20], strides: [20, 1] })])),
  'tensor-beyond-storage.pth': pthFile(pickledDict(['a', pickledTensor({ offset: 1 })])),
  'tensor-negative.pth': pthFile(pickledDict(['a', pickledTensor({ shape: [-2, 2] })])),
  'tensor-strided.pth': pthFile(pickledDict(['a', pickledTensor({ shape: [1, 2], strides: [4, 9] })])),
  'tensor-expanded.pth': pthFile(pickledDict(['a', pickledTensor({ shape: [2 ** 15, 2 ** 15], strides: [0, 0] })])),
  'tensor-arguments.pth': pthFile(
    pickledDict(['a', bytes(op.global('torch._utils', '_rebuild_tensor_v2'), op.emptyTuple, op.reduce)]),
  ),
  'rwkv-without-block-1.pth': pthFile(
    pickledDict(...['blocks.0.att.r_k', 'blocks.99999999999999999999.att.r_k'].map((name) => [name, pickledTensor()] as const)),
  ),
  'rwkv-without-embedding.pth': pthFile(pickledDict(['blocks.0.att.r_k', pickledTensor()])),
  'name-twice.pth': pthFile(pickledDict(['a', pickledTensor()], ['a', pickledTensor()])),
};

const long = 'x'.repeat(1 << 17);
/** A graph in an attribute of a node of a graph …, as deep as asked. */
const nested = (depth: number): Buffer => {
  let graph = bytes();
  for (let i = 0; i < depth; i++) graph = proto.message(1, proto.message(5, proto.message(6, graph)));
  return graph;
};
const external = (location: string, more: Readonly<Record<string, string>> = {}) =>
  onnxFile({ initializers: [onnxTensor({ external: { location, ...more } })] });

const onnx: Files = {
  'empty.onnx': '',
  'text.onnx': 'neither of them',
  'zeros.onnx': new Uint8Array(64),
  'no-graph.onnx': bytes(proto.int(1, 8)),
  'no-version.onnx': bytes(proto.message(7)),
  'graph-twice.onnx': bytes(onnxFile(), proto.message(7)),
  'cut-short.onnx': onnxFile({ initializers: [onnxTensor()] }).subarray(0, 20),
  'length-beyond-file.onnx': bytes(proto.int(1, 8), proto.tag(7, 2), proto.varint(2n ** 40n)),
  'length-beyond-graph.onnx': bytes(proto.int(1, 8), proto.message(7, proto.tag(5, 2), proto.varint(100)), new Uint8Array(200)),
  'length-negative.onnx': bytes(proto.int(1, 8), proto.tag(7, 2), proto.varint(-1)),
  'varint-of-11-bytes.onnx': bytes(new Uint8Array([8, ...new Array(10).fill(0xff), 1])),
  'varint-unfinished.onnx': bytes(8, 0xff),
  'field-0.onnx': bytes(proto.int(1, 8), 0x02, 0),
  'group.onnx': bytes(proto.int(1, 8), proto.tag(7, 3)),
  'nested.onnx': onnxFile({ other: [], nodes: [proto.message(5, proto.message(6, nested(20_000)))] }),
  'producer-bad-utf8.onnx': onnxFile({ other: [proto.text(2, notUtf8)] }),
  'name-bad-utf8.onnx': onnxFile({ initializers: [bytes(proto.int(2, 1), proto.text(8, notUtf8))] }),
  'name-long.onnx': onnxFile({ initializers: [onnxTensor({ name: long })] }),
  'name-twice.onnx': onnxFile({ initializers: [onnxTensor(), onnxTensor()] }),
  'type-missing.onnx': onnxFile({ initializers: [onnxTensor({ type: 0 })] }),
  'type-unknown.onnx': onnxFile({ initializers: [onnxTensor({ type: 99 })] }),
  'dims-negative.onnx': onnxFile({ initializers: [onnxTensor({ dims: [-4] })] }),
  'dims-overflow.onnx': onnxFile({ initializers: [onnxTensor({ dims: [2n ** 40n, 2n ** 40n] })] }),
  'dims-many.onnx': onnxFile({ initializers: [onnxTensor({ dims: new Array(17).fill(1) })] }),
  'values-too-few.onnx': onnxFile({ initializers: [onnxTensor({ dims: [5] })] }),
  'values-missing.onnx': onnxFile({ initializers: [bytes(proto.int(1, 4), proto.int(2, 1), proto.text(8, 'w'))] }),
  'segmented.onnx': onnxFile({ initializers: [bytes(proto.message(3, proto.int(1, 0)), onnxTensor())] }),
  'external-nowhere.onnx': external(''),
  'external-missing.onnx': external('weights.bin'),
  'external-parent.onnx': external('../weights.bin'),
  'external-inside-parent.onnx': external('a/../../weights.bin'),
  'external-absolute.onnx': external('/etc/passwd'),
  'external-windows.onnx': external('C:\\weights.bin'),
  'external-share.onnx': external('\\\\server\\weights.bin'),
  'external-memory.onnx': external('*/_ORT_MEM_ADDR_/*', { offset: '140000000000000' }),
  'external-nul.onnx': external('weights\0.bin'),
  'external-offset.onnx': external('external-offset.onnx', { offset: '-16' }),
  'external-offset-2^80.onnx': external('external-offset-2^80.onnx', { offset: '1208925819614629174706176' }),
  'external-length.onnx': external('external-length.onnx', { length: '15' }),
  'external-beyond-file.onnx': external('external-beyond-file.onnx', { offset: '1000' }),
  'external-folder.onnx': external('.'),
};

const others: Files = { 'unknown.txt': 'neither of them' };

/** What to open → the files to write first, by path relative to a folder. */
export const malformed: Readonly<Record<string, Files>> = {
  ...folders,
  ...Object.fromEntries(
    [safetensors, gguf, pth, onnx, others].flatMap((files) =>
      Object.entries(files).map(([name, content]) => [name, { [name]: content }]),
    ),
  ),
  'not-there.gguf': {},
};
