import { cancelled, LabError } from '../protocol/errors.js';

const coded = (code: string, message: string, hint: string, cause?: unknown) => new LabError({ code, message, hint }, { cause });

const TOKEN_HINT =
  'Set an access token with "Model Lab: Set Hugging Face Token" (or HF_TOKEN, or hf auth login), and look whether it may read this model.';
const NETWORK_HINT = 'Check the connection, HF_ENDPOINT and the proxy (HTTPS_PROXY); models in the cache open without any.';

export const referenceInvalid = (text: string) =>
  coded(
    'HUB_REFERENCE',
    `${JSON.stringify(text)} names no model of the Hugging Face Hub.`,
    'Give org/name, org/name@revision, hf://org/name, or the address of a model page.',
  );

export const nothingToRun = (repo: string) =>
  coded(
    'HUB_NO_WEIGHTS',
    `${repo} has no weights in a format that Model Lab reads.`,
    'Formats are safetensors, pytorch_model.bin, GGUF, RWKV .pth and ONNX.',
  );

export const variantUnknown = (repo: string, asked: string, known: readonly string[]) =>
  coded('HUB_FILE_NOT_FOUND', `${repo} has no ${JSON.stringify(asked)}.`, `Choose one of ${known.slice(0, 20).join(', ')}.`);

export const chooseVariant = (repo: string, known: readonly string[]) =>
  coded(
    'HUB_CHOOSE',
    `${repo} holds ${known.length} models.`,
    `Name one with --file, or behind the name: ${known.slice(0, 20).join(', ')}.`,
  );

export const offline = (what: string, cause?: unknown) =>
  coded('HUB_OFFLINE', `The Hub cannot be reached: ${what}.`, NETWORK_HINT, cause);

export const interrupted = (file: string, cause: unknown) =>
  coded(
    'HUB_INTERRUPTED',
    `The download of ${file} broke off several times without getting further (${reason(cause)}).`,
    'What has arrived is kept: download again and it goes on from there.',
    cause,
  );

export const checksumWrong = (file: string, expected: string, found: string) =>
  coded(
    'HUB_CHECKSUM',
    `${file} arrived damaged: its checksum is ${found.slice(0, 12)}…, the Hub says ${expected.slice(0, 12)}….`,
    'Nothing of it was kept. Download again; if it happens again, a proxy may change what passes through it.',
  );

const ROOM_HINT = 'Free some space, or set HF_HUB_CACHE to a folder on another disk.';

export const diskFull = (needed: number, free: number, folder: string) =>
  coded('HUB_DISK_FULL', `The download needs ${gigabytes(needed)}; ${gigabytes(free)} are free at ${folder}.`, ROOM_HINT);

/** No space, no more of a quota, no bigger file on this file system or for this process. */
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export const cacheUnwritable = (path: string, cause: unknown) =>
  FULL.has((cause as NodeJS.ErrnoException)?.code ?? '')
    ? coded(
        'HUB_DISK_FULL',
        `There is no room for more (${reason(cause)}): ${path}.`,
        `What has arrived is kept. ${ROOM_HINT}`,
        cause,
      )
    : coded(
        'HUB_CACHE_UNWRITABLE',
        `The cache cannot be written (${reason(cause)}): ${path}.`,
        'Check the permissions of HF_HUB_CACHE.',
        cause,
      );

export const unexpectedAnswer = (url: string, what: string) =>
  coded(
    'HUB_ANSWER',
    `${url} did not answer as the Hub does: ${what}.`,
    'Check HF_ENDPOINT; a proxy or a login page may be in between.',
  );

export const tooMuchRead = (file: string, most: number) =>
  coded(
    'HUB_PREVIEW_TOO_BIG',
    `More than ${gigabytes(most)} of ${file} would be read to look at it.`,
    'Download the model to look further.',
  );

const gigabytes = (bytes: number): string => (bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`);

const reason = (cause: unknown): string => {
  const inner = (cause as { cause?: unknown } | null)?.cause ?? cause;
  return (inner as NodeJS.ErrnoException | null)?.code ?? (inner instanceof Error ? inner.message : String(inner));
};

/** Where the network failed, as `fetch` tells it. */
export function networkError(error: unknown, host: string, signal: AbortSignal): LabError {
  if (error instanceof LabError) return error;
  if (signal.aborted) return cancelled();
  const why = reason(error);
  if (/CERT|SELF_SIGNED|ALTNAME|SSL|TLS/i.test(why))
    return coded(
      'HUB_CERTIFICATE',
      `The certificate of ${host} is not trusted (${why}).`,
      'A proxy may be in between: set NODE_EXTRA_CA_CERTS to its certificate.',
      error,
    );
  // fetch keeps an answer of status 407 to itself: an error without a reason.
  if (why === '' || /407|PROXY/i.test(why)) return proxyRefused(`on the way to ${host}`, 407, error);
  return offline(`${host} (${why})`, error);
}

const PROXY_HINT = 'It is that of HTTPS_PROXY, or of the setting http.proxy; NO_PROXY names hosts that need none.';

export const proxyRefused = (proxy: string, status: number, cause?: unknown) =>
  coded(
    'HUB_PROXY',
    `The proxy ${proxy} ${status === 407 ? 'wants a user and a password' : `refused the connection (status ${status})`}.`,
    status === 407 ? 'Give them in HTTPS_PROXY: http://user:password@host:port.' : PROXY_HINT,
    cause,
  );

export const proxyUnreachable = (proxy: string, cause: unknown) =>
  coded('HUB_PROXY', `The proxy ${proxy} cannot be reached (${reason(cause)}).`, PROXY_HINT, cause);

export const proxyInvalid = (what: string) =>
  coded(
    'HUB_PROXY',
    `HTTPS_PROXY or ALL_PROXY is no address of an HTTP proxy: ${what} cannot be used.`,
    'Give http://host:port.',
  );

/** What an answer that is not 2xx means. `X-Error-Code` is the Hub's own. */
export function answerError(status: number, headers: Headers, repo: string, hasToken: boolean): LabError {
  const code = headers.get('x-error-code');
  if (code === 'GatedRepo')
    return coded(
      'HUB_GATED',
      `${repo} is gated: its authors want to know who downloads it.`,
      `Accept their terms on the model's page, then use a token of that account. ${TOKEN_HINT}`,
    );
  if (code === 'RevisionNotFound')
    return coded(
      'HUB_REVISION_NOT_FOUND',
      `${repo} has no such revision.`,
      'Give a branch, a tag or a commit of it; the usual one is main.',
    );
  if (code === 'EntryNotFound') return coded('HUB_FILE_NOT_FOUND', `${repo} has no such file.`, 'Look at the list of its files.');
  if (code === 'RepoNotFound' || status === 404)
    return coded('HUB_NOT_FOUND', `${repo} is not on the Hub, or is private.`, `Check its name. ${TOKEN_HINT}`);
  if (status === 401)
    return hasToken
      ? coded('HUB_UNAUTHORIZED', 'The Hub does not accept the access token.', TOKEN_HINT)
      : coded('HUB_NOT_FOUND', `${repo} is not on the Hub, or is private.`, `Check its name. ${TOKEN_HINT}`);
  if (status === 403) return coded('HUB_FORBIDDEN', `The access token may not read ${repo}.`, TOKEN_HINT);
  if (status === 407) return proxyRefused('on the way', 407);
  if (status === 429) {
    const wait = headers.get('retry-after');
    return coded(
      'HUB_RATE_LIMITED',
      'The Hub has been asked too often.',
      `Wait ${wait ? `${wait} seconds` : 'a few minutes'}; with an access token more is allowed.`,
    );
  }
  return coded('HUB_UNAVAILABLE', `The Hub answered with status ${status}.`, 'It may be down for a moment; try again later.');
}
