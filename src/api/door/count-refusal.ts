/**
 * Why somebody is refused at the door:
 *
 * - **connections**: as many are open as may be.
 * - **late**: the event loop is.
 * - **rate**: more requests of one key or address than it may make.
 * - **wrong_keys**: too many different wrong keys from one address.
 */
export const REFUSALS = ['connections', 'late', 'rate', 'wrong_keys'] as const;

export type CountRefusal = (why: (typeof REFUSALS)[number]) => void;
