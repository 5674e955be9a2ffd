/** A file that is read by range from elsewhere. */
export interface MountedFile {
  readonly bytes: number;
  /** Fills `buffer` from `offset` on. */
  read(buffer: Uint8Array, offset: number): Promise<void>;
}

/** Files that appear below a folder that is not there, by their path relative to it, with `/` between names. */
export interface Mount {
  readonly root: string;
  readonly files: ReadonlyMap<string, MountedFile>;
}

const mounts = new Set<Mount>();

/** Makes the readers of this folder see these files, until the returned function is called. */
export function mount(added: Mount): () => void {
  mounts.add(added);
  return () => mounts.delete(added);
}

/** Undefined when the path is in no mount. */
function inside(path: string): { readonly files: Mount['files']; readonly name: string } | undefined {
  const plain = path.replaceAll('\\', '/');
  for (const { root, files } of mounts) {
    const base = root.replaceAll('\\', '/');
    if (plain === base) return { files, name: '' };
    if (plain.startsWith(`${base}/`)) return { files, name: plain.slice(base.length + 1) };
  }
  return undefined;
}

/** Undefined when the path is in no mount, null when the mount has no such file. */
export function mountedFile(path: string): MountedFile | null | undefined {
  const place = inside(path);
  return place && (place.files.get(place.name) ?? null);
}

/** Names in a mounted folder; undefined when the path is in no mount, null when there is no such folder. */
export function mountedFolder(path: string): ReadonlySet<string> | null | undefined {
  const place = inside(path);
  if (!place) return undefined;
  const prefix = place.name === '' ? '' : `${place.name}/`;
  const names = [...place.files.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  return names.length === 0 ? null : new Set(names.map((name) => name.split('/')[0] as string));
}
