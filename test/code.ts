import { LabError } from '../server/protocol/errors.js';

/** For `assert.rejects`: an error of ours with this code. Any other is thrown, so that the report shows it. */
export const code = (expected: string) => (error: unknown) => {
  if (error instanceof LabError && error.code === expected) return true;
  throw error;
};
