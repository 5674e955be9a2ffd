/** Folder of ONNX's backend tests, one folder a kind (node, simple …), or null when they cannot be had. */
export function onnxNodes(): string | null;
