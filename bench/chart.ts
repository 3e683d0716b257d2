import type { Bars } from './part.ts';
import { escaped, OTHERS, OURS, svg } from './svg.ts';

const WIDTH = 760;
const LABELS = 250;
const NUMBERS = 90;
const BAR = 24;
const STEP = 36;
const TOP = 52;

/** A bar for each candidate, ours in colour; readable on a white and on a dark page. */
export function chart({ title, unit, bars }: Bars): string {
  const most = Math.max(...bars.map(({ value }) => value));
  const height = TOP + bars.length * STEP + 8;
  const rows = bars.map(({ label, value, ours }, index) => {
    const y = TOP + index * STEP;
    const width = Math.max(1, ((WIDTH - LABELS - NUMBERS) * value) / most);
    const middle = y + BAR / 2;
    return [
      `<text x="${LABELS - 10}" y="${middle}" text-anchor="end" dominant-baseline="central">${escaped(label)}</text>`,
      `<rect x="${LABELS}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2" fill="${ours ? OURS : OTHERS}"/>`,
      `<text x="${(LABELS + width + 8).toFixed(1)}" y="${middle}" dominant-baseline="central">${Math.round(value).toLocaleString('en-GB')}</text>`,
    ].join('\n');
  });
  return svg({ title, unit, width: WIDTH, height, marks: rows });
}
