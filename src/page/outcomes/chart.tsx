import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';

export const CHART_HEIGHT = 150;
const BELOW = 22;

interface ChartProps {
  label: string;
  /** Buckets, oldest first: where each is (in hundredths) and what is said of it. */
  points: readonly { x: number; width: number; name: string; text: string }[];
  /** Of the left axis: its highest value and how values are written. */
  top: number;
  format: (value: number) => string;
  /** What is drawn, on a canvas of 100 % by `CHART_HEIGHT`. */
  children: ComponentChildren;
}

/**
 * A chart with axes, and a reading of one bucket: by the pointer, or by the arrow keys as on a slider. What it shows is
 * in the table of the view as well.
 */
export function Chart({ label, points, top, format, children }: ChartProps) {
  const [chosen, setChosen] = useState<number | null>(null);
  const last = points.length - 1;
  const point = chosen === null ? undefined : points[Math.min(chosen, last)];
  const text = (point ?? points[last])?.text ?? 'nothing';

  function press(event: KeyboardEvent): void {
    const at = chosen ?? last;
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    setChosen(Math.min(last, Math.max(0, next)));
  }

  function move(event: PointerEvent): void {
    const drawing = event.currentTarget instanceof Element ? event.currentTarget.firstElementChild : null;
    if (drawing === null) return;
    const box = drawing.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * 100;
    setChosen(nearest(points, x));
  }

  return (
    <div class="chart">
      <div
        class="canvas"
        role="slider"
        tabIndex={0}
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, last)}
        aria-valuenow={chosen ?? last}
        aria-valuetext={text}
        onKeyDown={press}
        onPointerMove={move}
        onPointerLeave={() => setChosen(null)}
        onBlur={() => setChosen(null)}
      >
        <svg width="100%" height={CHART_HEIGHT + BELOW} aria-hidden="true">
          {point !== undefined && (
            <rect
              x={`${point.x}%`}
              y="0"
              width={`${point.width}%`}
              height={CHART_HEIGHT}
              class="chosen-bucket"
            />
          )}
          <Grid />
          {children}
          <Names points={points} />
        </svg>
        <Axis top={top} format={format} />
      </div>
      <p class="reading small">{text}</p>
    </div>
  );
}

function nearest(points: ChartProps['points'], x: number): number | null {
  const distances = points.map((point) => Math.abs(point.x + point.width / 2 - x));
  const index = distances.indexOf(Math.min(...distances));
  return index === -1 ? null : index;
}

function Grid() {
  return (
    <>
      {[0, 0.5, 1].map((share) => (
        <line key={share} x1="0" x2="100%" y1={gridY(share)} y2={gridY(share)} class="grid" />
      ))}
    </>
  );
}

/** Half a pixel further: lines of one pixel are sharp then. */
function gridY(share: number): number {
  return Math.min(CHART_HEIGHT - 0.5, share * CHART_HEIGHT + 0.5);
}

/** Over the drawing, where a word of HTML keeps its size. */
function Axis({ top, format }: Pick<ChartProps, 'top' | 'format'>) {
  return (
    <div class="y-axis" aria-hidden="true">
      <span>{format(top)}</span>
      <span>{format(top / 2)}</span>
    </div>
  );
}

const MOST_NAMES = 6;

function Names({ points }: Pick<ChartProps, 'points'>) {
  const step = Math.max(1, Math.ceil(points.length / MOST_NAMES));
  return (
    <>
      {points.map(({ x, width, name }, index) =>
        index % step === 0 && x < 93 ? (
          <text
            key={x}
            x={`${x + width / 2}%`}
            y={CHART_HEIGHT + 16}
            class={`name ${x < 4 ? 'first' : ''} ${(index / step) % 2 === 1 ? 'every-other' : ''}`}
          >
            {name}
          </text>
        ) : null,
      )}
    </>
  );
}

/** Where a value is drawn, from the top down. */
export function yOf(value: number, top: number): number {
  return CHART_HEIGHT - (Math.min(value, top) / top) * CHART_HEIGHT;
}
