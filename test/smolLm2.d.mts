export function smolLm2(): string | null;
