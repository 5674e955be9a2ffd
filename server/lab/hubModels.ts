import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Checkpoint } from '../formats/checkpoint.js';
import { mount } from '../formats/mounts.js';
import { openCheckpoint } from '../formats/registry.js';
import { CacheRepo, sizeOf } from '../hub/cache.js';
import { HubClient, type HubFile, type HubModel } from '../hub/client.js';
import { download, freeBytes, type Progress } from '../hub/download.js';
import { hubEnvironment, tokenFor } from '../hub/environment.js';
import { chooseVariant, nothingToRun, variantUnknown } from '../hub/errors.js';
import { hubPath, parseReference, type Reference } from '../hub/reference.js';
import { RemoteFile } from '../hub/remoteFile.js';
import { variantsOf } from '../hub/variants.js';
import { cancelled, LabError, type LabErrorData, toLabError } from '../protocol/errors.js';
import type { HubPreview, HubVariant } from '../protocol/hub.js';
import type { CheckpointSummary, RunDtype } from '../protocol/models.js';
import { OnceByKey } from '../protocol/once.js';
import { summarise } from '../summary.js';
import { neededMemory } from './neededMemory.js';

/** Repositories whose headers are kept for the next question. */
const KEPT = 4;

/** A repository that is looked at by range: its files appear below a folder that is not there. */
interface Looked {
  readonly model: HubModel;
  readonly variants: readonly HubVariant[];
  readonly root: string;
  readonly files: ReadonlyMap<string, RemoteFile>;
  readonly authorised: boolean;
  close(): void;
}

/** Models on the Hugging Face Hub: looked at without a download, downloaded into the cache of huggingface_hub. */
export class HubModels {
  /** From the editor's secret store; the environment's is used without one. */
  token: string | null = null;
  readonly #looked = new OnceByKey<Looked>(KEPT, (gone) => void gone.then(({ close }) => close()).catch(() => undefined));

  /** @param dtype what models are computed in, for the memory they would take */
  constructor(private readonly dtype: RunDtype = 'own') {}

  /** Headers only. Errors: HUB_REFERENCE and those of HubClient. */
  async preview(name: string, revision: string | null, chosen: string | null, signal: AbortSignal): Promise<HubPreview> {
    const reference = withRevision(parseReference(name), revision);
    const looked = await this.#look(reference, signal);
    const { model, variants, authorised } = looked;
    const variant = variantFor(looked, chosen ?? reference.file, true);
    const environment = hubEnvironment();
    const folder = new CacheRepo(environment.cache, model.repo);
    const { summary, unreadable, memory } = await summaryOf(looked, variant, this.dtype);
    return {
      repo: model.repo,
      revision: model.revision,
      commit: model.commit,
      private: model.private,
      gated: model.gated,
      variants: await Promise.all(variants.map(async (each) => ({ ...each, ...(await cachedOf(folder, model, each)) }))),
      variant: variant.id,
      summary,
      unreadable,
      memory,
      fetched: [...looked.files.values()].reduce((sum, file) => sum + file.fetched, 0),
      cache: { folder: environment.cache, free: await freeBytes(environment.cache) },
      endpoint: environment.endpoint,
      authorised,
    };
  }

  /** Into the cache. Returns the path that opens. */
  async download(
    name: string,
    revision: string | null,
    chosen: string | null,
    signal: AbortSignal,
    progress: Progress,
  ): Promise<string> {
    const reference = withRevision(parseReference(name), revision);
    const { cache } = hubEnvironment();
    const client = await this.#client(signal);
    const model = await client.model(reference.repo, reference.revision ?? 'main');
    const variant = variantFor({ model, variants: variantsOf(model.files) }, chosen ?? reference.file, false);
    const wanted = new Set(variant.files.map(({ path }) => path));
    const folder = await download(
      client,
      cache,
      model,
      model.files.filter(({ path }) => wanted.has(path)),
      progress,
    );
    return variant.file === null ? folder : join(folder, ...variant.file.split('/'));
  }

  /** A few files of a repository, by name. Returns the snapshot's folder. */
  async downloadFiles(
    name: string,
    revision: string | null,
    files: readonly string[],
    signal: AbortSignal,
    progress: Progress,
  ): Promise<string> {
    const reference = withRevision(parseReference(name), revision);
    const client = await this.#client(signal);
    const model = await client.model(reference.repo, reference.revision ?? 'main');
    const wanted = files.map((path) => {
      const file = model.files.find((each) => each.path === path);
      if (!file)
        throw variantUnknown(
          model.repo,
          path,
          model.files.map((each) => each.path),
        );
      return file;
    });
    return download(client, hubEnvironment().cache, model, wanted, progress);
  }

  /** The checkpoint of an hf:// path, read by range as far as it is looked at. */
  async open(path: string, signal: AbortSignal): Promise<Checkpoint> {
    const reference = parseReference(path);
    const looked = await this.#look(reference, signal);
    return openVariant(looked, variantFor(looked, reference.file, false));
  }

  /** Its header, in terms of hf:// paths. */
  async inspect(path: string, signal: AbortSignal): Promise<CheckpointSummary> {
    const reference = parseReference(path);
    const looked = await this.#look(reference, signal);
    const { summary, unreadable } = await summaryOf(looked, variantFor(looked, reference.file, false), this.dtype);
    if (unreadable !== null) throw new LabError(unreadable);
    return summary as CheckpointSummary;
  }

  async #client(signal: AbortSignal): Promise<HubClient> {
    const environment = hubEnvironment();
    return new HubClient({ environment, token: await tokenFor(this.token, environment), signal });
  }

  /** What was looked at before is not asked for again: a commit does not change. */
  async #look(reference: Reference, signal: AbortSignal): Promise<Looked> {
    const revision = reference.revision ?? 'main';
    const key = JSON.stringify([reference.repo, revision, this.token]);
    const looking = this.#looked.get(key, () => this.#begin(reference.repo, revision));
    return aborting(looking, signal);
  }

  async #begin(repo: string, revision: string): Promise<Looked> {
    const controller = new AbortController();
    const environment = hubEnvironment();
    const token = await tokenFor(this.token, environment);
    const client = new HubClient({ environment, token, signal: controller.signal });
    const model = await client.model(repo, revision);
    const files = new Map(model.files.map((file) => [file.path, new RemoteFile(client, model, file)]));
    const root = join(tmpdir(), `model-lab-hub-${process.pid}`, ...model.repo.split('/'), model.commit);
    const unmount = mount({ root, files });
    const close = () => {
      unmount();
      controller.abort();
    };
    return { model, variants: variantsOf(model.files), root, files, authorised: token !== null, close };
  }
}

const withRevision = (reference: Reference, revision: string | null): Reference =>
  revision === null || revision === '' ? reference : { ...reference, revision };

/** The one asked for by its id or a file of it; else the only one, or where `first` allows it the first. */
function variantFor({ model, variants }: Pick<Looked, 'model' | 'variants'>, asked: string | null, first: boolean): HubVariant {
  const ids = variants.map(({ id }) => id);
  if (asked !== null) {
    const found =
      variants.find(({ id, file }) => id === asked || file === asked) ??
      variants.find(({ files }) => files.some(({ path }) => path === asked));
    if (!found) throw variantUnknown(model.repo, asked, ids);
    return found;
  }
  const [only, ...others] = variants;
  if (!only) throw nothingToRun(model.repo);
  // A folder with its configuration is what the repository is about; several files are a choice.
  if (others.length > 0 && only.file !== null && !first) throw chooseVariant(model.repo, ids);
  return only;
}

const openVariant = ({ root }: Looked, { file }: HubVariant): Promise<Checkpoint> =>
  openCheckpoint(file === null ? root : join(root, ...file.split('/')));

async function summaryOf(
  looked: Looked,
  variant: HubVariant,
  dtype: RunDtype,
): Promise<Pick<HubPreview, 'summary' | 'unreadable' | 'memory'>> {
  const { model, root } = looked;
  const base = hubPath({ repo: model.repo, revision: model.commit, file: null });
  const named = (path: string) => path.replace(root, base).replaceAll('\\', '/');
  const renamed = (error: LabErrorData | null): LabErrorData | null =>
    error && {
      ...error,
      message: error.message.replaceAll(root, base),
      ...(error.file !== undefined && { file: named(error.file) }),
    };
  try {
    const checkpoint = await openVariant(looked, variant);
    const summary = await summarise(checkpoint);
    const needed = summary.unsupported === null ? await neededMemory(checkpoint, dtype, freemem()).catch(() => null) : null;
    const files = summary.files.map(({ path, bytes }) => ({ path: named(path), bytes }));
    const path = hubPath({ repo: model.repo, revision: model.commit, file: variant.file });
    const name = variant.file === null ? model.repo : `${model.repo}: ${variant.id}`;
    return {
      summary: { ...summary, path, name, files, unsupported: renamed(summary.unsupported) },
      unreadable: null,
      memory: needed === null ? null : { needed, free: freemem() },
    };
  } catch (error) {
    const failure = toLabError(error);
    if (failure.code === 'CANCELLED' || failure.code === 'INTERNAL') throw error;
    return { summary: null, unreadable: renamed(failure.toData()), memory: null };
  }
}

/** How much of a variant is in the cache, and where when that is all of it. */
async function cachedOf(
  folder: CacheRepo,
  { files, commit }: HubModel,
  variant: HubVariant,
): Promise<{ cached: number; path: string | null }> {
  const known = new Map<string, HubFile>(files.map((file) => [file.path, file]));
  const bytes = await Promise.all(
    variant.files.map(async ({ path, bytes: most }) => Math.min(most, await folder.bytesOf(known.get(path)?.etag ?? ''))),
  );
  const pointers = await Promise.all(
    variant.files.map(async ({ path, bytes: size }) => (await sizeOf(folder.pointer(commit, path))) === size),
  );
  return {
    cached: bytes.reduce((sum, each) => sum + each, 0),
    path: pointers.every(Boolean)
      ? variant.file === null
        ? folder.snapshot(commit)
        : folder.pointer(commit, variant.file)
      : null,
  };
}

/** A question that nobody waits for any more ends; what it looked at is kept for the next. */
function aborting<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(cancelled());
  return new Promise((resolve, reject) => {
    const abort = () => reject(cancelled());
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
