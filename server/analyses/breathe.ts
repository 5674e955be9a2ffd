import { cancelled } from '../protocol/errors.js';

/** Between two pieces of work: lets the server answer others, and ends here when nobody waits any more. Errors: CANCELLED. */
export async function breathe(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  if (signal.aborted) throw cancelled();
}
