import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

export const peersFolder = path.resolve(import.meta.dirname, '../peers');
export const peersPython = path.join(peersFolder, 'python', process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');

/** By name of the peer: what pip is asked for, and what it is imported as. */
export const pythonPeers = {
  transformers: { packages: ['torch==2.13.0', 'transformers', 'safetensors', 'psutil', 'gguf', 'onnx'], module: 'transformers' },
  rwkv: { packages: ['rwkv'], module: 'rwkv' },
  transformer_lens: { packages: ['transformer_lens'], module: 'transformer_lens' },
  captum: { packages: ['captum'], module: 'captum' },
};

const platforms = { darwin: 'mac', linux: 'linux', win32: 'win' };
const metal = process.platform === 'darwin' && process.arch === 'arm64' ? '-metal' : '';
/** Holds llama.cpp itself. */
const llamaBinary = `@node-llama-cpp/${platforms[process.platform]}-${process.arch}${metal}`;

/** By name of the peer, which is its package: what npm is asked for; what is optional of node-llama-cpp is for graphics processors. */
export const nodePeers = {
  'node-llama-cpp': { packages: ['node-llama-cpp@3.22.1', `${llamaBinary}@3.22.1`], optional: false },
  '@huggingface/transformers': { packages: ['@huggingface/transformers@4.3.1'], optional: true },
};

/** Each in a folder of its own, so that one that cannot be had takes no other with it. */
export const nodePeerFolder = (name) => path.join(peersFolder, 'node', name.replace('@', '').replace('/', '-'));

/** null when it is not installed. */
export function nodePeerVersion(name) {
  const file = path.join(nodePeerFolder(name), 'node_modules', name, 'package.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).version : null;
}
