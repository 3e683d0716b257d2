import { readFileSync } from 'node:fs';

/** What a file holds, or the code of the error for which it cannot be read. */
export function readText(path: string): { text: string; error: null } | { text: null; error: unknown } {
  try {
    return { text: readFileSync(path, 'utf8'), error: null };
  } catch (error) {
    return { text: null, error: error instanceof Error && 'code' in error ? error.code : error };
  }
}
