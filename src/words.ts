/** What an error says, with what lies under it. A host with several addresses fails without a message of its own. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Drizzle tells the statement, and leaves what Postgres said of it to the cause.
  if ('query' in error && error.cause !== undefined) return wordsOf(error.cause);
  const own = ownWords(error);
  const cause = error.cause === undefined ? '' : wordsOf(error.cause);
  // One of several lines holds what a program said, and so tells the cause itself.
  return cause === '' || own.includes(cause) || error.message.includes('\n') ? own : `${own}: ${cause}`;
}

function ownWords(error: Error): string {
  if (error.message !== '') return error.message;
  if (error instanceof AggregateError) return [...new Set(error.errors.map(wordsOf))].join('; ');
  return codeOf(error) ?? error.name;
}

/** `ECONNREFUSED` and the like; null where the error has none. */
export function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error ? String(error.code) : null;
}
