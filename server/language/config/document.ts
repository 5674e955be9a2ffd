import { findNodeAtLocation, getNodeValue, type Node, type ParseError, parseTree } from 'jsonc-parser';

export type Severity = 'error' | 'warning' | 'information' | 'hint';

/** Something wrong with a value of config.json; offsets of the value in the text. */
export interface Issue {
  /** Stable, kebab-case; what tests and settings compare. */
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly start: number;
  readonly end: number;
}

type Path = readonly (string | number)[];

/** config.json as a tree with positions. */
export class ConfigDocument {
  private constructor(
    readonly text: string,
    readonly root: Node,
    readonly errors: readonly ParseError[],
  ) {}

  /** Null when the text is not the config of a model: no object with `model_type` or `architectures`. */
  static parse(text: string): ConfigDocument | null {
    const errors: ParseError[] = [];
    const root = parseTree(text, errors);
    if (root?.type !== 'object') return null;
    const document = new ConfigDocument(text, root, errors);
    return document.node('model_type') || document.node('architectures') ? document : null;
  }

  /** The whole object. */
  get json(): Readonly<Record<string, unknown>> {
    return getNodeValue(this.root);
  }

  node(...path: Path): Node | undefined {
    return findNodeAtLocation(this.root, [...path]);
  }

  value(...path: Path): unknown {
    const node = this.node(...path);
    return node && getNodeValue(node);
  }

  /** A finite number, or null when it is absent or something else. */
  number(...path: Path): number | null {
    const value = this.value(...path);
    return typeof value === 'number' && Number.isFinite(value) ? value : null;
  }

  /** The first of these top-level keys that holds a positive whole number. */
  size(...keys: readonly string[]): { readonly key: string; readonly value: number } | null {
    for (const key of keys) {
      const value = this.number(key);
      if (value !== null && Number.isInteger(value) && value > 0) return { key, value };
    }
    return null;
  }

  /** An issue about the value at `path`. */
  issue(path: Path, severity: Severity, code: string, message: string): readonly Issue[] {
    const node = this.node(...path);
    return node ? [{ code, severity, message, start: node.offset, end: node.offset + node.length }] : [];
  }
}
