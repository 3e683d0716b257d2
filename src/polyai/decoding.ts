import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';

/** Throws `TooLargeError` where more than so many bytes come out. */
export type Decode = (body: Buffer, maxBytes: number) => Promise<Buffer>;

/** Nobody asks for compression, but a proxy may compress all the same. The limit is on what comes out. */
export function decoderOf(encoding: string | undefined): Decode | null {
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
      return limited(promisify(gunzip));
    case 'deflate':
      return limited(promisify(inflate));
    case 'br':
      return limited(promisify(brotliDecompress));
    default:
      return null;
  }
}

function limited(
  decompress: (body: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>,
): Decode {
  return async (body, maxBytes) => {
    try {
      return await decompress(body, { maxOutputLength: maxBytes });
    } catch (error) {
      const isTooLarge = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
      throw isTooLarge ? new TooLargeError(maxBytes) : error;
    }
  };
}

export class TooLargeError extends Error {
  override readonly name = 'TooLargeError';
  readonly code = 'too_large';

  constructor(maxBytes: number) {
    super(`a body of over ${maxBytes} bytes`);
  }
}
