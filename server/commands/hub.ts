import type { Checkpoint } from '../formats/checkpoint.js';
import { openCheckpoint } from '../formats/registry.js';
import type { Progress } from '../hub/download.js';
import { isHubPath } from '../hub/reference.js';
import { HubModels } from '../lab/hubModels.js';
import { LabError } from '../protocol/errors.js';
import type { Arguments } from './usage.js';

const badAction = (action: string) =>
  new LabError({ code: 'USAGE', message: `hub does not ${JSON.stringify(action)}`, hint: 'hub preview ID, or hub download ID' });

/** Lines of progress a second, at most. */
const LINES = 2;

/**
 * `preview`: what the repository holds and what the headers of one of its models say, as JSON, without a download. `download`: into the cache that
 * Hugging Face's tools share; prints the path.
 */
export async function hub(args: Arguments): Promise<void> {
  const models = new HubModels();
  const revision = args.revision ?? null;
  const first = args.file?.[0] ?? null;
  if (args.path === 'preview') {
    const preview = await interruptible((signal) => models.preview(args.second, revision, first, signal));
    process.stdout.write(`${JSON.stringify(preview, null, 2)}\n`);
  } else if (args.path === 'download') {
    process.stdout.write(`${await downloaded(models, args)}\n`);
  } else throw badAction(args.path);
}

/** One --file may name a model (all its parts, with its configuration); several are taken as they are. */
function downloaded(models: HubModels, { second: id, file = [], ...args }: Arguments): Promise<string> {
  const revision = args.revision ?? null;
  return interruptible((signal) =>
    file.length > 1
      ? models.downloadFiles(id, revision, file, signal, report())
      : models.download(id, revision, file[0] ?? null, signal, report()),
  );
}

/** The path itself, or for hf://org/name@revision where the model is once it is downloaded. */
export const localPath = (path: string): Promise<string> =>
  isHubPath(path)
    ? interruptible((signal) => new HubModels().download(path, null, null, signal, report()))
    : Promise.resolve(path);

/** What its headers say; of hf:// read by range. */
export const checkpointAt = (path: string): Promise<Checkpoint> =>
  isHubPath(path) ? interruptible((signal) => new HubModels().open(path, signal)) : openCheckpoint(path);

/** Ctrl+C ends what is asked of the network meanwhile; what has arrived is kept. */
async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => controller.abort();
  process.once('SIGINT', stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', stop);
  }
}

/** Progress on stderr, a line now and then. */
function report(): Progress {
  let last = 0;
  return (done, total, what) => {
    const now = Date.now();
    if (done < total && now - last < 1000 / LINES) return;
    last = now;
    process.stderr.write(
      `${((100 * done) / Math.max(1, total)).toFixed(1).padStart(5)} %  ${(done / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB  ${what}\n`,
    );
  };
}
