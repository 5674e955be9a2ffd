type PythonPeer = 'transformers' | 'transformer_lens' | 'captum' | 'rwkv';
type NodePeer = 'node-llama-cpp' | '@huggingface/transformers';

export const peersFolder: string;
export const peersPython: string;
export const pythonPeers: Readonly<Record<PythonPeer, { packages: string[]; module: string }>>;
export const nodePeers: Readonly<Record<NodePeer, { packages: string[]; optional: boolean }>>;
export function nodePeerFolder(name: string): string;
export function nodePeerVersion(name: string): string | null;
