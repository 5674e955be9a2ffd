/** What rows of a cache are called in pictures: `short` marks a row of a map, `long` is what they are. */
const NAMES: Readonly<Record<string, { readonly short: string; readonly long: string }>> = {
  k: { short: 'K', long: 'keys' },
  v: { short: 'V', long: 'values' },
  c_kv: { short: 'c', long: 'latents' },
  k_pe: { short: 'k_pe', long: 'rotary keys' },
};

export const rowNames = (name: string) => NAMES[name] ?? { short: name, long: name };
