export const peersFolder: string;
export const peersPython: string;
