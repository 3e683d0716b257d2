import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DescriptorStream, LogOutput, openLogOutput } from '../../src/log-output.ts';

const MANY = 10_000;
/** With `MANY` of it, 10 MB: more than may wait, and far more than a pipe holds. */
const LINE = `${'x'.repeat(1_000)}\n`;

let folder: string;
let reader: number;
let writer: number;
let told: number[];
let output: LogOutput;

function watched(opened: LogOutput): LogOutput {
  opened.onDropped = (lines) => void told.push(lines);
  return opened;
}

/** A pipe with both ends here, neither of which blocks. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'polykeep-log-'));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  told = [];
});

afterEach(() => rmSync(folder, { recursive: true }));

/** All that can be read now, as text. */
function read(): string {
  const bytes = Buffer.alloc(1 << 20);
  try {
    return bytes.toString('utf8', 0, readSync(reader, bytes));
  } catch {
    // Nothing is there.
    return '';
  }
}

async function readUntil(isEnough: (text: string) => boolean): Promise<string> {
  let text = '';
  await expect
    .poll(() => {
      text += read();
      return isEnough(text);
    })
    .toBe(true);
  return text;
}

const linesOf = (text: string) => text.split('\n').filter((line) => line !== '').length;

describe.each([
  ['a pipe', () => openLogOutput(writer)],
  ['a terminal that is stopped', () => new LogOutput(new DescriptorStream(writer))],
])('%s', (_, open) => {
  beforeEach(() => {
    output = watched(open());
  });

  it('that is read gets every line in order', async () => {
    for (const line of ['one', 'two', 'three']) output.write(`${line}\n`);
    expect(await readUntil((text) => text.includes('three\n'))).toBe('one\ntwo\nthree\n');
    expect(output.dropped).toBe(0);
  });

  it('that nobody reads blocks nothing, and has some lines wait and the others dropped', () => {
    const startedAt = performance.now();
    for (let count = 0; count < MANY; count++) output.write(LINE);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(output.dropped).toBeGreaterThan(1_000);
    expect(output.dropped).toBeLessThan(2_500);
    expect(told).toEqual([]);
  });

  it('that is read again gets what waited, tells once how many lines were dropped, and goes on', async () => {
    for (let count = 0; count < MANY; count++) output.write(LINE);
    const { dropped } = output;
    const waited = await readUntil((text) => linesOf(text) === MANY - dropped);
    expect(waited).toBe(LINE.repeat(MANY - dropped));
    await expect.poll(() => told).toEqual([dropped]);
    output.write('again\n');
    expect(await readUntil((text) => text !== '')).toBe('again\n');
    expect(output.dropped).toBe(dropped);
  });

  it('is flushed when what waited has been read, and not before', async () => {
    for (let count = 0; count < 1_000; count++) output.write(LINE);
    let flushed = false;
    output.flush(() => {
      flushed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(flushed).toBe(false);
    await readUntil((text) => linesOf(text) === 1_000);
    await expect.poll(() => flushed).toBe(true);
  });
});

it('a pipe whose reader has gone takes lines and loses them, and holds up no end', async () => {
  output = watched(new LogOutput(new Socket({ fd: writer, readable: false, writable: true })));
  closeSync(reader);
  output.write(LINE);
  await expect
    .poll(() => {
      output.write(LINE);
      return output.dropped;
    })
    .toBeGreaterThan(0);
  await new Promise<void>((resolve) => output.flush(resolve));
  expect(told).toEqual([]);
});

describe('a file', () => {
  it('gets every line at once', () => {
    const path = join(folder, 'log');
    output = watched(openLogOutput(openSync(path, 'w')));
    output.write('one\n');
    output.write('two\n');
    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
  });

  it.skipIf(!existsSync('/dev/full'))('on a disk that is full loses lines, and ends nothing', async () => {
    output = watched(openLogOutput(openSync('/dev/full', 'w')));
    for (let count = 0; count < 5; count++) output.write(LINE);
    expect(output.dropped).toBe(5);
    await new Promise<void>((resolve) => output.flush(resolve));
    expect(told).toEqual([]);
  });

  it('on a disk that has room again tells once how many lines were lost', async () => {
    let isFull = true;
    const disk = new Writable({
      write(_chunk, _encoding, done) {
        disk.emit(isFull ? 'lost' : 'written');
        done();
      },
    });
    output = watched(new LogOutput(disk));
    for (let count = 0; count < 3; count++) output.write(LINE);
    isFull = false;
    for (let count = 0; count < 3; count++) output.write(LINE);
    await expect.poll(() => told).toEqual([3]);
  });
});
