export const peersFolder: string;
export const peersPython: string;
export const pythonPeers: Readonly<Record<'transformers' | 'transformer_lens' | 'rwkv', { packages: string[]; module: string }>>;
export const nodePeers: Readonly<Record<'node-llama-cpp', string[]>>;
export function nodePeerFolder(name: string): string;
export function nodePeerVersion(name: string): string | null;
