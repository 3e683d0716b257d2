/** True where Redis has answered, and refuses: ioredis names such an error so. */
export function isReplyError(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}
