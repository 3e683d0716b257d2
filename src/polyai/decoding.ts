import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { codeOf } from '../words.ts';

/** Decompresses a body. Rejects with `TooLargeError` where more than `maxBytes` come out. */
type Decode = (body: Buffer, maxBytes: number) => Promise<Buffer>;

/**
 * The decoder of a `content-encoding`; null where the body is as it was. polykeep asks for no compression, but a proxy
 * may compress all the same.
 */
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
      const isTooLarge = codeOf(error) === 'ERR_BUFFER_TOO_LARGE';
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
