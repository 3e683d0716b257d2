/** What a check of one thing came to: one line, which says what to do where it is not well. */
export interface Finding {
  readonly isWell: boolean;
  readonly line: string;
}

export const well = (line: string): Finding => ({ isWell: true, line });
export const unwell = (line: string): Finding => ({ isWell: false, line });
