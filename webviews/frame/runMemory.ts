import type { RunInfo } from '../../server/protocol/runs.js';
import { many } from '../charts/numbers.js';

/** What of a run was not computed for it, or is no longer held, in words with their reasons. */
export function memoryNotes({ reused, promptTokens, dropped }: RunInfo): readonly (readonly [text: string, title: string])[] {
  return [
    ...(reused > 0
      ? [
          [
            `reused ${reused.toLocaleString('en')} of ${many(promptTokens, 'token')}`,
            'Taken over from a run of this model with the same beginning: checkpoints, keys and values, state',
          ] as const,
        ]
      : []),
    ...(dropped
      ? [
          [
            'memory freed',
            'Newer runs needed the memory. Its tokens are run again when you look inside (modelLab.memory.runs)',
          ] as const,
        ]
      : []),
  ];
}
