/** Property of a table, never one that all objects inherit: the key comes from a file and may say `constructor`. */
export declare const own: <T>(table: Readonly<Record<string, T>> | undefined, key: string) => T | undefined;
