/** Where the editor is installed. */
export const hostDir: string;
/** Why no editor can be had here, or null when one can. */
export function editorUnavailable(): string | null;
/** Installs the editor once. Throws when it cannot. */
export function setupEditor(): void;
