import { yOf } from './chart.tsx';

interface LineProps {
  /** In hundredths of the width; a value that is null breaks the line. */
  points: readonly { x: number; value: number | null }[];
  top: number;
  kind: string;
}

/** Lines from point to point: an SVG of its own scale would stretch their width, so each is drawn in per cent. */
export function Line({ points, top, kind }: LineProps) {
  return (
    <g class={`series ${kind}`}>
      {points.map(({ x, value }, index) => {
        const next = points[index + 1];
        if (value === null) return null;
        if (next === undefined || next.value === null)
          return <circle key={x} cx={`${x}%`} cy={yOf(value, top)} r="2" />;
        return <line key={x} x1={`${x}%`} y1={yOf(value, top)} x2={`${next.x}%`} y2={yOf(next.value, top)} />;
      })}
    </g>
  );
}
