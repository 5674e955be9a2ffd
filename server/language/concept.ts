/** Where a concept's names mean what they say. */
export type ConceptKind =
  /** A key of config.json: in JSON, as `config.key`, as a keyword argument or as a quoted key. */
  | 'config'
  /** A key of generation_config.json, and a keyword argument of `generate`. */
  | 'generation'
  /** A module or weight: in code, and in strings that are its name or a dotted path. */
  | 'module'
  /** A module or weight whose name is too short to mean it elsewhere than in a dotted path or after `self.`. */
  | 'part'
  /** A function, class or variable: in code only. */
  | 'code'
  /** A probe or state of a run, without `blocks.i.`: in strings. */
  | 'probe'
  /** A family: its classes in code, its `model_type` and `architectures` in config.json. */
  | 'family';

export interface Paper {
  readonly title: string;
  /** arXiv id, null for what was not published there. */
  readonly arxiv: string | null;
}

/** One entry of the knowledge base behind the hovers. */
export interface Concept {
  readonly kind: ConceptKind;
  /** Spellings across the families; the first, with the kind, identifies the concept. */
  readonly names: readonly string[];
  readonly title: string;
  /** What it is, in two or three sentences of Markdown. */
  readonly what: string;
  readonly formula?: string;
  readonly paper?: Paper;
  /** Probes of a block (without `blocks.i.`) or of the model that show it in a run. */
  readonly probes?: readonly string[];
  /** Declared states of a block that hold it. */
  readonly states?: readonly string[];
}

/** Probes and states (`state.NAME`) that one paper explains. */
export const probeOf =
  (paper: NonNullable<Concept['paper']>) =>
  (name: string, title: string, what: string, formula?: string): Concept => ({
    kind: 'probe',
    names: [name],
    title,
    what,
    paper,
    ...(name.startsWith('state.') ? { states: [name.slice('state.'.length)] } : { probes: [name] }),
    ...(formula !== undefined && { formula }),
  });
