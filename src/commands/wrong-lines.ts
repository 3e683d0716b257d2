import { isCallSid } from '../call/limits.ts';

interface WrongLine {
  line: number;
  callSid: string | null;
  /** With the name of the field. */
  error: string;
}

const SHOWN = 20;
const SHOWN_OF_A_CALL_SID = 60;

/** What is wrong in a file, line by line: the first ones, and how many. */
export class WrongLines {
  readonly #first: WrongLine[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(wrong: WrongLine): void {
    this.#count++;
    if (this.#first.length < SHOWN) this.#first.push(wrong);
  }

  /** In words for people. */
  told(file: string): string[] {
    const lines = this.#first.map(
      ({ line, callSid, error }) => `${placeOf(file, line)}${shown(callSid)}: ${error}`,
    );
    const others = this.#count - lines.length;
    return others > 0 ? [...lines, `… and ${others} more`] : lines;
  }
}

export function placeOf(file: string, line: number | null): string {
  return line === null ? file : `${file}, line ${line}`;
}

/** What is no callSid may be anything, also what a terminal obeys. */
function shown(callSid: string | null): string {
  if (callSid === null) return '';
  if (isCallSid(callSid)) return ` (${callSid})`;
  const isLong = callSid.length > SHOWN_OF_A_CALL_SID;
  return ` (${JSON.stringify(isLong ? `${callSid.slice(0, SHOWN_OF_A_CALL_SID)}…` : callSid)})`;
}
