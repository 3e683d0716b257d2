import { findNodeAtLocation, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';

/** The text of a JSON file, which knows in which line each of its values stands. */
export interface JsonLines {
  /** The line of the value at this path, or else of the innermost one around it. */
  lineOf(path: readonly string[]): number;
  /** Where the text is no JSON, and why; null where it is. */
  readonly mistake: { line: number; words: string } | null;
}

/** JSON.parse says at most which characters are wrong, and repeats some around them: a token may be among those. */
export function linesOf(given: string): JsonLines {
  const errors: ParseError[] = [];
  const text = given.replace(/^\uFEFF/, '');
  const root = parseTree(text, errors, { disallowComments: true, allowTrailingComma: false });
  const lineAt = (offset: number) => text.slice(0, offset).split('\n').length;
  const [error] = errors;
  return {
    mistake:
      error === undefined
        ? null
        : { line: lineAt(error.offset), words: wordsOf(printParseErrorCode(error.error)) },
    lineOf(path) {
      for (let length = path.length; root !== undefined && length > 0; length--) {
        const node = findNodeAtLocation(root, path.slice(0, length).map(stepOf));
        if (node !== undefined) return lineAt(node.offset);
      }
      return lineAt(root?.offset ?? 0);
    },
  };
}

function stepOf(step: string): string | number {
  return /^\d+$/.test(step) ? Number(step) : step;
}

/** `CommaExpected`: comma expected. */
function wordsOf(code: string): string {
  return code.replace(/(?!^)[A-Z]/g, ' $&').toLowerCase();
}
