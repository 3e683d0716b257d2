import { Client } from 'pg';
import type { Recording } from './recording.ts';

export interface Answer {
  text: string;
  /** Name and type of each. */
  columns: string[];
  /** Rows that were read or written: how many may hang on the time. */
  some: boolean;
}

/** Asks a database all that was recorded; throws what Postgres says to what it refuses, with the text. */
export async function replay({ texts, runs }: Recording, url: string): Promise<Answer[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const answers: Answer[] = [];
    for (const run of runs) {
      for (const { text, values } of run) answers.push(await ask(client, texts[text] ?? '', values));
      // What the process left open, as an export that was read to its end.
      if (run.length > 1 && answers.at(-1)?.text !== 'commit') await client.query('rollback');
    }
    return answers;
  } finally {
    await client.end();
  }
}

async function ask(client: Client, text: string, values: unknown[]): Promise<Answer> {
  try {
    // Several statements in one text may have no values, not even none.
    const result = await (values.length === 0 ? client.query(text) : client.query(text, values));
    // Of several, that one whose answer is read is the last.
    const { fields, rowCount } = [result].flat().at(-1) ?? result;
    return {
      text,
      columns: fields.map(({ name, dataTypeID }) => `${name} ${dataTypeID}`),
      some: (rowCount ?? 0) > 0,
    };
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}: ${text.trim()}`, { cause: error });
  }
}
