import type { Environment } from './environment.ts';
import { readText } from './text-file.ts';

/** The variables that hold a secret: each may be in a file instead, whose path is in `X_FILE`. */
const SECRETS = [
  'POLYAI_AUTH_TOKEN',
  'API_KEYS',
  'DATABASE_URL',
  'DATABASE_DIRECT_URL',
  'REDIS_URL',
  'HTTPS_PROXY',
  'HTTP_PROXY',
  'WEBHOOKS_SECRET',
  'POLYKEEP_API_KEY',
] satisfies readonly (keyof Environment)[];

const fileVariableOf = (name: string) => `${name}_FILE`;

export const SECRET_FILES: readonly string[] = SECRETS.map(fileVariableOf);

type Variables = Readonly<Record<string, string | undefined>>;

interface WithSecrets {
  /** The variables, with the secrets of the files among them. */
  values: Variables;
  /** The secrets that are meant to be there, and could not be had: nobody should be told that they are missing. */
  unread: readonly string[];
}

/** Reads the files that variables name. What is wrong is added to `problems`, one plain line each. */
export function readSecretFiles(given: Variables, problems: string[]): WithSecrets {
  const values = { ...given };
  const unread: string[] = [];
  for (const name of SECRETS) {
    const path = given[fileVariableOf(name)];
    if (path === undefined) continue;
    const { secret, problem } =
      given[name] === undefined
        ? readSecret(path)
        : { problem: `${name} is given too: leave out one of them` };
    if (problem !== undefined) {
      problems.push(`${fileVariableOf(name)}: ${problem}`);
      unread.push(name);
    }
    values[name] = secret;
  }
  return { values, unread };
}

function readSecret(path: string): { secret?: string; problem?: string } {
  const { text, error } = readText(path);
  if (text === null) return { problem: `${path} cannot be read (${error})` };
  // Editors and `echo` end a file with one, which is no part of a secret.
  const secret = text.replace(/\r?\n$/, '');
  return secret === '' ? { problem: `${path} is empty` } : { secret };
}

/** A problem of a secret names the variable that it was given by. */
export function namedByFile(problems: readonly string[], given: Variables): string[] {
  return problems.map((problem) => {
    const name = SECRETS.find((secret) => problem.startsWith(`${secret}: `));
    const isInFile = name !== undefined && given[fileVariableOf(name)] !== undefined;
    return isInFile ? `${fileVariableOf(name)}${problem.slice(name.length)}` : problem;
  });
}
