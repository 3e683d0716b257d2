import type { Bars } from './part.ts';

const WIDTH = 760;
const LABELS = 250;
const NUMBERS = 90;
const BAR = 24;
const STEP = 36;
const TOP = 52;
const OURS = '#1f6feb';
const OTHERS = '#9aa4b2';
const TEXT = '#24292f';

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
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="14" fill="${TEXT}">
<title>${escaped(`${title} (${unit})`)}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="16" y="30" font-size="17" font-weight="600">${escaped(title)} <tspan font-size="13" font-weight="400">(${escaped(unit)})</tspan></text>
${rows.join('\n')}
</svg>
`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
