import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, stat, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

const CHUNK = 64 * 1024;

/** A file that can be read from its start more than once. */
export interface Rereadable {
  /** For people. */
  name: string;
  size: number;
  read(): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/**
 * A file, or standard input (`-`). Standard input and pipes can be read once: they are kept in a temporary file
 * meanwhile. Throws an `Error` of one plain line.
 */
export async function openRereadable(path: string): Promise<Rereadable> {
  const name = path === '-' ? 'standard input' : path;
  try {
    const handle = await handleOf(path);
    const { size } = await handle.stat();
    return {
      name,
      size,
      read: () => chunksOf(handle),
      close: () => handle.close(),
    };
  } catch (error) {
    throw new Error(`${name} cannot be read: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

async function handleOf(path: string): Promise<FileHandle> {
  if (path === '-') return keep(process.stdin);
  return (await stat(path)).isFile() ? open(path) : keep(createReadStream(path));
}

async function keep(from: Readable): Promise<FileHandle> {
  const path = join(tmpdir(), `polykeep-${randomUUID()}`);
  const handle = await open(path, 'wx+', 0o600);
  try {
    // Without a name it is gone when the process is, however that ends.
    await unlink(path);
    await handle.writeFile(from);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** From the start. A stream of Node's would close the file at its end. */
async function* chunksOf(handle: FileHandle): AsyncGenerator<Uint8Array> {
  for (let position = 0; ; ) {
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.allocUnsafe(CHUNK), position });
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}
