import type { HubVariant } from '../protocol/hub.js';
import { modelExtensions } from '../protocol/models.js';
import type { HubFile } from './client.js';

/** What belongs to a model whatever its weights are: configuration, tokenizer, card. */
const BESIDE = /^(?:[^/]+\.(?:json|jinja|model|txt|md|tiktoken)|vocab[^/]*|merges[^/]*|LICENSE[^/]*)$/i;
const SHARD = /-\d{5}-of-\d{5}(?=\.)/;
/** Formats whose configuration and tokenizer lie beside the file. */
const others = modelExtensions.filter((extension) => extension !== 'safetensors' && extension !== 'gguf');
/** How a file says its quantisation: Q4_K_M, IQ2_XXS, BF16 … */
const QUANTISATION = /(?:^|[-._])((?:I?Q\d(?:_[A-Z0-9]+)*|BF16|F16|F32|FP16|FP32|MXFP4(?:_[A-Z]+)?|TQ\d_\d))(?=[-._]|$)/i;

/**
 * The models that a repository holds, the one to take first in front: safetensors (or PyTorch's own files) with what lies beside them, each GGUF, and
 * each file of another format.
 */
export function variantsOf(files: readonly HubFile[]): readonly HubVariant[] {
  const beside = files.filter(({ path }) => BESIDE.test(path) && !/\.index\.json$/.test(path));
  const named = (pattern: RegExp) => files.filter(({ path }) => pattern.test(path));
  const folder = (id: string, pattern: RegExp, label: string): HubVariant[] => {
    const weights = named(pattern);
    const index = named(new RegExp(`^${id === 'safetensors' ? 'model\\.safetensors' : 'pytorch_model\\.bin'}\\.index\\.json$`));
    return weights.length === 0 ? [] : [variant(id, label, null, [...weights, ...index, ...beside])];
  };
  const safetensors = folder('safetensors', wholeModel(files), 'safetensors');
  const torch = folder('pytorch', /^pytorch_model(?:-\d{5}-of-\d{5})?\.bin$/, 'pytorch_model.bin');
  return [
    ...safetensors,
    ...torch,
    ...single(named(/\.gguf$/i), []),
    ...others.flatMap((extension) => single(named(new RegExp(`\\.${extension}$`, 'i')), beside, files)),
  ];
}

/** model.safetensors in its shards; where there is none of that name, whatever safetensors there are at the top. */
const wholeModel = (files: readonly HubFile[]): RegExp => {
  const usual = /^model(?:-\d{5}-of-\d{5})?\.safetensors$/;
  return files.some(({ path }) => usual.test(path)) ? usual : /^[^/]+\.safetensors$/;
};

/** Each file, with all parts of a split one, is a model by itself. */
function single(weights: readonly HubFile[], beside: readonly HubFile[], all: readonly HubFile[] = []): HubVariant[] {
  const groups = new Map<string, HubFile[]>();
  for (const file of weights) {
    const name = file.path.replace(SHARD, '');
    groups.set(name, [...(groups.get(name) ?? []), file]);
  }
  return [...groups].map(([name, parts]) => {
    // ONNX keeps big weights in files beside the graph, named after it.
    const external = all.filter(({ path }) => path.startsWith(`${name}_data`) || path.startsWith(`${name}.data`));
    const [first] = [...parts].sort((a, b) => (a.path < b.path ? -1 : 1));
    const quantisation = QUANTISATION.exec(name.replace(/\.[^.]+$/, ''))?.[1];
    const label = quantisation === undefined ? name : `${quantisation.toUpperCase()} · ${name}`;
    return variant(name, label, first?.path ?? name, [...parts, ...external, ...beside]);
  });
}

function variant(id: string, label: string, file: string | null, files: readonly HubFile[]): HubVariant {
  const bytes = files.reduce((sum, each) => sum + each.bytes, 0);
  return { id, label, file, files: files.map(({ path, bytes: size }) => ({ path, bytes: size })), bytes };
}
