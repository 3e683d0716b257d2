const COUNT = new Intl.NumberFormat();
const COMPACT = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });
const SHARE = new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 1 });
const POINTS = new Intl.NumberFormat(undefined, { signDisplay: 'exceptZero', maximumFractionDigits: 1 });
const CHANGE = new Intl.NumberFormat(undefined, {
  style: 'percent',
  signDisplay: 'exceptZero',
  maximumFractionDigits: 0,
});

export const countText = (count: number) => COUNT.format(count);
export const compactText = (count: number) => COMPACT.format(count);
export const shareText = (share: number) => SHARE.format(share);
/** A difference of shares, in points: `+2.1`. */
export const pointsText = (difference: number) => POINTS.format(difference * 100);
export const changeText = (change: number) => CHANGE.format(change);

/** `one` or `many`, with the number before it. */
export function counted(count: number, one: string, many: string): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}
