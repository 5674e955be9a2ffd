import { findNodeAtOffset, type Node, parseTree } from 'jsonc-parser';
import { isCode, type Place, placeAt } from './codePlaces.js';
import type { Concept } from './concept.js';
import { conceptNamed } from './knowledge.js';

/** A name in a document that the knowledge base explains. */
export interface NamedConcept {
  readonly concept: Concept;
  /** Offsets of the name in the document. */
  readonly start: number;
  readonly end: number;
  /** The name with what surrounds it in a dotted path or string, the name alone otherwise. */
  readonly path: string;
}

const WORD = /\w+/y;
const DOTTED = /^[A-Za-z_]\w*(?:\.[\w*]+)+$/;
const CONFIG_OBJECT = /(?:config|cfg|args|hparams)\s*\.\s*$/i;
const MODULE_OWNER = /\b(?:self|model|layer|block|module)\s*\.\s*$/;

function wordAt(text: string, offset: number): { readonly word: string; readonly start: number } | null {
  let start = offset;
  while (start > 0 && /\w/.test(text[start - 1] as string)) start--;
  WORD.lastIndex = start;
  const word = WORD.exec(text)?.[0];
  return word === undefined ? null : { word, start };
}

/** Probe names, with or without the block and TransformerLens’s `hook_`. */
function probeNamed(path: string, alone: boolean): Concept | null {
  const match = /^((?:(?:vision|text)\.)?blocks\.(?:\d+|i|\*)\.)?(.+)$/.exec(path);
  if (!match) return null;
  const name = (match[2] as string).replace(/\bhook_/, '');
  const needsBlock = !name.includes('.') && !alone;
  return match[1] === undefined && needsBlock ? null : conceptNamed(name, 'probe');
}

/** A name inside a string: a whole key, a probe, or a part of a dotted path. `isKey`: it is used as a key or subscript. */
function inString(text: string, offset: number, place: Place, isKey: boolean): NamedConcept | null {
  const content = text.slice(place.start, place.end);
  const whole = (concept: Concept | null): NamedConcept | null =>
    concept && { concept, start: place.start, end: place.end, path: content };
  const probe = probeNamed(content, isKey);
  if (probe) return whole(probe);
  if (DOTTED.test(content)) {
    const at = wordAt(text, offset);
    const concept = at && conceptNamed(at.word, 'module', 'part');
    return concept && { concept, start: at.start, end: at.start + at.word.length, path: content };
  }
  if (!content.includes('_') && !isKey) return whole(conceptNamed(content, 'family'));
  return whole(conceptNamed(content, 'config', 'generation', 'module', 'family'));
}

function inCode(text: string, offset: number): NamedConcept | null {
  const at = wordAt(text, offset);
  if (!at) return null;
  const before = text.slice(Math.max(0, at.start - 200), at.start);
  const after = text.slice(at.start + at.word.length, at.start + at.word.length + 20);
  const isKeyword = /[(,]\s*$/.test(before) && /^\s*=(?!=)/.test(after);
  const concept =
    (isKeyword && conceptNamed(at.word, 'generation')) ||
    (isKeyword && at.word.includes('_') && conceptNamed(at.word, 'config')) ||
    (CONFIG_OBJECT.test(before) && conceptNamed(at.word, 'config', 'generation')) ||
    conceptNamed(at.word, 'code', 'module', 'family') ||
    (MODULE_OWNER.test(before) && conceptNamed(at.word, 'part'));
  // Families answer to their classes only: `mamba` or `llama` in code may be anything.
  if (!concept || (concept.kind === 'family' && at.word === at.word.toLowerCase())) return null;
  return { concept, start: at.start, end: at.start + at.word.length, path: at.word };
}

const isModelJson = (root: Node, fileName: string): boolean =>
  /config.*\.json$/.test(fileName) || (root.children ?? []).some((property) => property.children?.[0]?.value === 'model_type');

function inJson(text: string, offset: number, fileName: string): NamedConcept | null {
  const root = parseTree(text, undefined, { disallowComments: false, allowTrailingComma: true });
  if (!root) return null;
  const node = findNodeAtOffset(root, offset, true);
  if (node?.type !== 'string') return null;
  const place: Place = { kind: 'string', start: node.offset + 1, end: node.offset + node.length - 1 };
  const content = node.value as string;
  const isKey = node.parent?.type === 'property' && node.parent.children?.[0] === node;
  if (!isKey) return inString(text, offset, place, false);
  if (DOTTED.test(content)) return inString(text, offset, place, true);
  const concept = isModelJson(root, fileName) ? conceptNamed(content, 'config', 'generation', 'module') : null;
  return concept && { concept, start: place.start, end: place.end, path: content };
}

/**
 * The concept named at `offset`, or null: comments name nothing, prose in strings names nothing, and a key of a config is
 * recognised only where it is one.
 */
export function nameAt(text: string, offset: number, language: string, fileName: string): NamedConcept | null {
  if (language === 'json' || language === 'jsonc') return inJson(text, offset, fileName);
  if (!isCode(language)) return null;
  const place = placeAt(text, offset, language);
  if (place.kind === 'comment') return null;
  if (place.kind === 'code') return inCode(text, offset);
  const isKey = /^["'`]\s*(?:\]|:)/.test(text.slice(place.end, place.end + 10));
  return inString(text, offset, place, isKey);
}
