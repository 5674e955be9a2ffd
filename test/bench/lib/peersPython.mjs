import path from 'node:path';
import process from 'node:process';

export const peersFolder = path.resolve(import.meta.dirname, '../peers');
export const peersPython = path.join(peersFolder, 'python', process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
