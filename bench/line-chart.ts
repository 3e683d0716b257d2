import type { Lines, Series } from './part.ts';
import { escaped, OTHERS, OURS, svg } from './svg.ts';

const WIDTH = 900;
const LEFT = 56;
const RIGHT = 16;
const TOP = 92;
const PLOT = 260;
const BOTTOM = 150;
const BAND = '#f3f5f8';

/** Lines over the hours of a day, with its phases as bands; the value by its logarithm. */
export function lineChart({ title, unit, bands, series, ticks }: Lines): string {
  const [least, most] = [ticks[0] ?? 1, ticks.at(-1) ?? 10];
  const x = (hour: number) => LEFT + ((WIDTH - LEFT - RIGHT) * hour) / 24;
  const y = (value: number) => {
    const part = Math.log(Math.min(most, Math.max(least, value)) / least) / Math.log(most / least);
    return TOP + PLOT * (1 - part);
  };
  const height = TOP + PLOT + BOTTOM;
  const bandRects = bands.map(({ from, until, label }, index) => {
    const middle = x((from + until) / 2);
    return [
      index % 2 === 0
        ? `<rect x="${n(x(from))}" y="${TOP}" width="${n(x(until) - x(from))}" height="${PLOT}" fill="${BAND}"/>`
        : '',
      `<text transform="translate(${n(middle)},${TOP + PLOT + 30}) rotate(35)" font-size="12" dominant-baseline="central">${escaped(label)}</text>`,
    ].join('\n');
  });
  const rules = ticks.map(
    (tick) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${n(y(tick))}" y2="${n(y(tick))}" stroke="#d0d7de" stroke-width="0.5"/><text x="${LEFT - 6}" y="${n(y(tick))}" text-anchor="end" dominant-baseline="central" font-size="12">${tick}</text>`,
  );
  const hours = Array.from({ length: 9 }, (_, index) => index * 3).map(
    (hour) =>
      `<text x="${n(x(hour))}" y="${TOP + PLOT + 14}" text-anchor="middle" font-size="12">${hour}:00</text>`,
  );
  const paths = series.map(
    (one) =>
      `<polyline fill="none" ${stroke(one)} points="${one.points.map(([hour, value]) => `${n(x(hour))},${n(y(value))}`).join(' ')}"/>`,
  );
  const legend = series.map((one, index) => {
    const at = LEFT + index * 200;
    return `<line x1="${at}" x2="${at + 28}" y1="60" y2="60" ${stroke(one)}/><text x="${at + 34}" y="60" dominant-baseline="central" font-size="13">${escaped(one.label)}</text>`;
  });
  return svg({
    title,
    unit,
    width: WIDTH,
    height,
    marks: [...bandRects, ...rules, ...hours, ...legend, ...paths],
  });
}

function stroke({ ours, isFaint }: Series): string {
  const dashes = isFaint ? ' stroke-dasharray="3 3"' : '';
  return `stroke="${ours ? OURS : OTHERS}" stroke-width="${isFaint ? 1.5 : 2.5}"${dashes}`;
}

function n(value: number): string {
  return value.toFixed(1);
}
