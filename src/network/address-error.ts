/** An address cannot be used. The message is for people: it says what to write instead, and has no part of a password. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
  readonly code = 'bad_address';
}

/** Why a URL that looks right is often none. */
export const ENCODING = 'characters of a password such as / # ? @ % must be written as %2F %23 %3F %40 %25';
