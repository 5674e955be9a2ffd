/** A size for people, in decimal units as the settings and VS Code count: 0.62 GB, 24.1 GB. */
export const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e10 ? 2 : 1)} GB`;
