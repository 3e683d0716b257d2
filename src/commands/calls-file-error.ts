/** The file is no list of calls. `line` is where that shows, null where it shows nowhere. */
export class CallsFileError extends Error {
  override readonly name = 'CallsFileError';
  readonly code = 'bad_calls_file';
  readonly line: number | null;

  constructor(line: number | null, what: string) {
    super(what);
    this.line = line;
  }
}
