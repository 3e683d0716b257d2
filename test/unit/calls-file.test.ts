import { Ajv } from 'ajv';
import { stringify } from 'csv-stringify/sync';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RegistrationBody } from '../../src/api/schemas.ts';
import { type FileLine, readCalls } from '../../src/commands/calls-file.ts';
import { CallsFileError } from '../../src/commands/calls-file-error.ts';
import { callSids } from '../support/call-sids.ts';

/** Bytes in pieces of this size, as they may come out of a pipe. */
async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function linesOf(content: string | Buffer, pieces = 7): Promise<FileLine[]> {
  const lines: FileLine[] = [];
  for await (const line of readCalls(inPieces(Buffer.from(content), pieces))) lines.push(line);
  return lines;
}

const callsOf = async (content: string | Buffer, pieces?: number) =>
  (await linesOf(content, pieces)).map((read) => (read.kind === 'call' ? read.call : read.error));

/** What is wrong with a file that is no list of calls. */
async function refusalOf(content: string | Buffer): Promise<string> {
  const error: unknown = await linesOf(content).catch((thrown: unknown) => thrown);
  if (!(error instanceof CallsFileError)) throw new Error('it is taken for a list of calls');
  return `line ${error.line}: ${error.message}`;
}

const fits = new Ajv().compile(RegistrationBody);
const pieces = fc.integer({ min: 1, max: 40 });
const bom = fc.constantFrom('', '\ufeff');
/** Text that can be kept, and is there: a csv has nothing to tell an empty value from none. */
const values = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((text) => text.isWellFormed() && !text.includes('\0') && text.trim() !== '');
const keys = fc
  .stringMatching(/^[a-z]{1,6}( [a-z"',;é]{1,3})?$/)
  .filter((key) => !/^(account|call.?sid)/i.test(key));

describe('a csv with a header', () => {
  const table = fc.uniqueArray(keys, { maxLength: 3 }).chain((columns) =>
    fc.record({
      columns: fc.constant(columns),
      calls: fc.array(
        fc.tuple(callSids, fc.array(fc.oneof(values, fc.constant('')), { minLength: 3, maxLength: 3 })),
        { minLength: 1, maxLength: 5 },
      ),
    }),
  );
  const style = fc.record({
    quoted: fc.boolean(),
    record_delimiter: fc.constantFrom('\n', '\r\n'),
    eof: fc.boolean(),
  });

  it('is read as it was written, whatever its texts, its line ends and its byte order mark', async () => {
    await fc.assert(
      fc.asyncProperty(table, style, bom, pieces, async ({ columns, calls }, options, mark, size) => {
        const rows = calls.map(([callSid, texts]) => [callSid, ...texts.slice(0, columns.length)]);
        const csv = stringify([['callSid', ...columns], ...rows], { ...options, quoted_match: /[\r\n]/ });
        const expected = calls.map(([callSid, texts]) => {
          const metadata = Object.fromEntries(
            columns.map((key, n) => [key, texts[n] ?? '']).filter(([, text]) => text),
          );
          return Object.keys(metadata).length === 0 ? { callSid } : { callSid, metadata };
        });
        expect(await callsOf(mark + csv, size)).toEqual(expected);
      }),
    );
  });

  it('has its wrong line named, the others being as they were', async () => {
    const wrong = fc.constantFrom('OUT 1', 'OUT-1;x', '', 'é', '..', 'x'.repeat(201), 'OUT-1/2');
    await fc.assert(
      fc.asyncProperty(fc.array(callSids, { maxLength: 8 }), fc.nat(), wrong, async (sids, at, bad) => {
        const index = at % (sids.length + 1);
        const all = sids.toSpliced(index, 0, bad);
        const read = await linesOf(`note,callSid\n${all.map((sid) => `x,${sid}\n`).join('')}`);
        expect(read.filter(({ kind }) => kind === 'invalid')).toMatchObject([
          { line: index + 2, callSid: bad || null, error: expect.stringMatching(/^callSid: /) },
        ]);
        expect(read.length).toBe(all.length);
      }),
    );
  });
});

describe('a file of one callSid per line', () => {
  const ends = fc.constantFrom('\n', '\r\n', '\r', '\n\n', ' \n');

  it('has them in their order, with their lines', async () => {
    const list = fc.array(callSids, { minLength: 1 }).filter(([first = '']) => /\d/.test(first));
    await fc.assert(
      fc.asyncProperty(list, ends, bom, pieces, async (sids, end, mark, size) => {
        const read = await linesOf(mark + sids.join(end), size);
        const perLine = end === '\n\n' ? 2 : 1;
        expect(read).toMatchObject(
          sids.map((callSid, n) => ({ kind: 'call', call: { callSid }, line: n * perLine + 1 })),
        );
      }),
    );
  });

  it('of one of PolyAI’s ids is one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uuid(), fc.constantFrom('', 'OUT-'), async (uuid, prefix) => {
        expect(await callsOf(prefix + uuid)).toEqual([{ callSid: prefix + uuid }]);
      }),
    );
  });
});

describe('whatever a file has', () => {
  const pieceOf = fc.oneof(
    callSids,
    values,
    fc.constantFrom('callSid', 'account', ',', '\n', '"', ';', ' ', '\r', 'é'),
  );
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    fc.array(pieceOf, { maxLength: 20 }).map((texts) => Buffer.from(texts.join(''))),
    fc.array(pieceOf, { maxLength: 20 }).map((texts) => Buffer.from(`callSid,a\n${texts.join('')}`)),
    fc
      .array(pieceOf, { maxLength: 10 })
      .map((texts) => Buffer.from(`callSid,a\n${texts.join('')}`, 'latin1')),
  );

  it('it is no list of calls, or each line of it is a call that the API takes, or is named', async () => {
    await fc.assert(
      fc.asyncProperty(anything, pieces, async (bytes, size) => {
        const read = await linesOf(bytes, size).catch((error: unknown) => {
          if (error instanceof CallsFileError) return [];
          throw error;
        });
        for (const line of read) {
          if (line.kind === 'call') expect([line.call.callSid !== '', fits(line.call)]).toEqual([true, true]);
          else expect(line.error).toMatch(/^(callSid|account|metadata(\..*)?): |^has \d+ columns/s);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('is refused before it is read on:', () => {
  const neither = 'line 1: is neither a header';
  const header = 'is taken for a header, which must be callSid';
  it.each<[string, string | Buffer, string]>([
    ['a header without callSid', 'id,campaign\n1,2', neither],
    ['a header that is no callSid', 'id\nOUT-1', `line 1: id ${header}`],
    ['a header that is nearly one', 'CallSid\nOUT-1', `line 1: CallSid ${header}`],
    ['a header that is nearly one, with a digit', 'callsid1\nOUT-1', `line 1: callsid1 ${header}`],
    ['a header with a space', 'call sid\nOUT-1', neither],
    ['semicolons, with a header', 'callSid;campaign\n1;2', neither],
    ['semicolons, without', '\nOUT-1;spring\nOUT-2;spring', 'line 2: is neither a header'],
    ['tabs', 'callSid\tcampaign\n1\t2', neither],
    ['commas without a header', 'OUT-1,spring\nOUT-2,spring', neither],
    ['spaces', 'OUT-1 OUT-2', neither],
    ['a JSON document', '{"calls":["OUT-1"]}', neither],
    ['a column twice', 'callSid,call_sid\n1,2', 'line 1: the header names callSid twice'],
    ['a metadata column twice', 'callSid,a,metadata.a\n1,2,3', 'line 1: the header names metadata.a twice'],
    ['a column without a name', 'callSid,\n1,2', 'line 1: column 2 has no name'],
    ['a quote that is not closed', 'callSid,a\n1,"2\n3', 'line 3: a quote that was opened'],
    ['a line without an end', `callSid,a\n1,"${'x'.repeat(100_100)}`, 'line 2: has more than 100 kB'],
    ['UTF-16 with a mark', Buffer.from('\ufeffcallSid\nOUT-1', 'utf16le'), 'line 1: is not UTF-8'],
    ['UTF-16 without one', Buffer.from('callSid\nOUT-1', 'utf16le'), 'line 1: is not UTF-8, but UTF-16'],
    ['a header in Latin 1', Buffer.from('callSid,größe\n1,2', 'latin1'), 'line 1: is not UTF-8'],
  ])('%s', async (_, content, said) => {
    expect(await refusalOf(content)).toContain(said);
  });

  it('but not a callSid that looks like a header below one', async () => {
    expect(await callsOf('callSid\nid')).toEqual([{ callSid: 'id' }]);
  });
});

describe('a line is named with its field', () => {
  it.each<[string, string | Buffer, string]>([
    ['Latin 1', Buffer.from('callSid,city\nOUT-1,Köln', 'latin1'), 'metadata.city: is not UTF-8'],
    ['Latin 1 in a callSid', Buffer.from('OUT-1\nOUT-é', 'latin1'), 'callSid: is not UTF-8'],
    ['a comma', 'OUT-1\nOUT-2,x', 'has 2 columns instead of 1'],
    ['a semicolon', 'OUT-1\nOUT-2;x', 'callSid: must be letters'],
    ['no callSid', 'callSid,a\nOUT-1,\n,x', 'callSid: is empty'],
    ['much metadata', `callSid,a\nOUT-1,\nOUT-2,${'x'.repeat(8_192)}`, 'metadata: is larger than 8 KB'],
  ])('%s', async (_, content, said) => {
    const [wrong, ...others] = (await linesOf(content)).filter(({ kind }) => kind === 'invalid');
    expect(wrong).toMatchObject({ error: expect.stringContaining(said) });
    expect(others).toEqual([]);
  });

  it('after a text of several lines too', async () => {
    const read = await linesOf('callSid,a\nOUT-1,"x\n\ny"\n\nOUT 2,z\n');
    expect(read.map(({ kind, line }) => [kind, line])).toEqual([
      ['call', 4],
      ['invalid', 6],
    ]);
  });
});

it('an empty file is an empty list, and so is a header alone', async () => {
  for (const content of ['', '\n\n', '\ufeff', 'callSid\n']) expect(await linesOf(content)).toEqual([]);
});
