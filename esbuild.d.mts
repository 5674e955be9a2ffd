import type { BuildOptions } from 'esbuild';

export declare const extension: BuildOptions;
export declare const webviews: BuildOptions;
