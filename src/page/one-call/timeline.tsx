import type { Call } from '../polykeep/answers.ts';
import { meaningOf, stateText, statusText } from '../words/outcomes.ts';
import { durationText, utcText } from '../words/times.ts';
import type { Life, Stay, Stretch } from './life.ts';
import { type Scale, scaleOf } from './scale.ts';

const TOP = 12;
const HEIGHT = 34;
const FLOOR = TOP + HEIGHT;
/** A bar narrower than this, in hundredths, has no room for its word; the table below has it. */
const ROOM_FOR_WORD = 10;

/**
 * The call's life to scale. What polls saw is solid; between two polls that saw different statuses the change happened
 * somewhere, and the bar is hatched.
 */
export function Timeline({ call, life }: { call: Call; life: Life }) {
  const scale = scaleOf(life);
  return (
    <figure class="timeline">
      <svg width="100%" height={FLOOR + 30} role="img" aria-label={summaryOf(call, life)}>
        <Patterns />
        <Ticks scale={scale} />
        {life.silence !== null && (
          <Bar
            stretch={life.silence}
            scale={scale}
            kind={`silence ${life.silence.kind}`}
            title={silenceText(life)}
          />
        )}
        {life.stays.map((stay) => (
          <StayBars key={stay.transition.seq} stay={stay} scale={scale} outcome={call.outcome} />
        ))}
        <OwnTimes life={life} scale={scale} />
        {scale.brokenAt !== null && <Break at={scale.brokenAt} />}
      </svg>
      <Legend life={life} isBroken={scale.brokenAt !== null} />
    </figure>
  );
}

function Patterns() {
  return (
    <defs>
      <pattern id="doubt" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <rect width="6" height="6" class="doubt-ground" />
        <rect width="2.4" height="6" class="doubt-line" />
      </pattern>
      <pattern id="silence" width="7" height="7" patternUnits="userSpaceOnUse">
        <circle cx="2" cy="3.5" r="1.1" class="silence-dot" />
      </pattern>
    </defs>
  );
}

function StayBars({ stay, scale, outcome }: { stay: Stay; scale: Scale; outcome: Call['outcome'] }) {
  const { transition, began, sure, isEnd } = stay;
  const word = statusText(transition.status);
  const kind = kindOf(transition.status);
  const at = scale.at(began.to);
  return (
    <>
      <Bar stretch={began} scale={scale} kind="doubt" title={`${word} began here: ${spanText(began)}`} />
      {sure !== null && <Bar stretch={sure} scale={scale} kind={kind} title={`${word}: seen throughout`} />}
      {isEnd && <End at={at} meaning={meaningOf(outcome)} />}
      {!isEnd && sure !== null && scale.at(sure.to) - at > ROOM_FOR_WORD && (
        <text x={`${(at + scale.at(sure.to)) / 2}%`} y={TOP + HEIGHT / 2 + 4} class={`word on-${kind}`}>
          {word}
        </text>
      )}
    </>
  );
}

function Bar({
  stretch,
  scale,
  kind,
  title,
}: {
  stretch: Stretch;
  scale: Scale;
  kind: string;
  title: string;
}) {
  const x = scale.at(stretch.from);
  const width = scale.at(stretch.to) - x;
  if (width <= 0) return null;
  return (
    <rect x={`${x}%`} y={TOP} width={`${width}%`} height={HEIGHT} class={`bar-${kind}`}>
      <title>{title}</title>
    </rect>
  );
}

function End({ at, meaning }: { at: number; meaning: string }) {
  return <line x1={`${at}%`} x2={`${at}%`} y1={TOP - 8} y2={FLOOR + 4} class={`end ${meaning}`} />;
}

function Ticks({ scale }: { scale: Scale }) {
  return (
    <>
      <line x1="0" x2="100%" y1={FLOOR + 0.5} y2={FLOOR + 0.5} class="axis" />
      {scale.ticks.map(({ time, elapsed }, index) => (
        <g key={elapsed} class={index % 2 === 1 ? 'tick every-other' : 'tick'}>
          <line x1={`${scale.at(time)}%`} x2={`${scale.at(time)}%`} y1={FLOOR} y2={FLOOR + 5} />
          <text
            x={`${scale.at(time)}%`}
            y={FLOOR + 19}
            class={scale.at(time) < 4 ? 'first' : scale.at(time) > 94 ? 'last' : ''}
          >
            {durationText(elapsed)}
          </text>
        </g>
      ))}
    </>
  );
}

/** PolyAI's own times, where it gives them: whole seconds, of its own clock. */
function OwnTimes({ life, scale }: { life: Life; scale: Scale }) {
  return (
    <>
      {life.stays.map(({ transition: { seq, lastUpdated } }) => {
        if (lastUpdated === null) return null;
        const time = Date.parse(lastUpdated);
        if (time < life.whole.from || time > life.whole.to) return null;
        return (
          <line
            key={seq}
            x1={`${scale.at(time)}%`}
            x2={`${scale.at(time)}%`}
            y1={TOP - 6}
            y2={TOP}
            class="own-time"
          >
            <title>PolyAI’s own time: {utcText(new Date(time))}</title>
          </line>
        );
      })}
    </>
  );
}

function Break({ at }: { at: number }) {
  return (
    <svg
      x={`${at}%`}
      y={TOP - 6}
      width="14"
      height={HEIGHT + 12}
      overflow="visible"
      aria-hidden="true"
      class="break"
    >
      <path d={`M-5 ${HEIGHT + 12} 1 0h6l-6 ${HEIGHT + 12}Z`} class="gap" />
      <path d={`M-5 ${HEIGHT + 12} 1 0M1 ${HEIGHT + 12} 7 0`} />
    </svg>
  );
}

function Legend({ life, isBroken }: { life: Life; isBroken: boolean }) {
  return (
    <figcaption class="legend">
      <span>
        <i class="swatch sure" /> seen by polls
      </span>
      <span>
        <i class="swatch doubt" /> changed somewhere in here
      </span>
      {life.silence !== null && (
        <span>
          <i class="swatch silent" />{' '}
          {life.silence.kind === 'followed' ? 'not polled yet' : 'PolyAI showed nothing'}
          {isBroken && ', not to scale'}
        </span>
      )}
      {life.stays.some(({ transition }) => transition.lastUpdated !== null) && (
        <span>
          <i class="swatch own" /> PolyAI’s own time
        </span>
      )}
    </figcaption>
  );
}

/** Colours are for the first two that PolyAI documents; whatever else it shows has one together. */
function kindOf(status: string): string {
  return status === 'queued' || status === 'calling' ? status : 'other';
}

function spanText({ from, to }: Stretch): string {
  return `within ${durationText(to - from)}, after ${utcText(new Date(from))}`;
}

function silenceText({ silence }: Life): string {
  if (silence === null) return '';
  const length = durationText(silence.to - silence.from);
  return silence.kind === 'followed'
    ? `since the last poll: ${length}`
    : `PolyAI showed nothing for ${length}`;
}

function summaryOf(call: Call, { whole, stays }: Life): string {
  const path = stays.map(({ transition }) => statusText(transition.status)).join(', then ');
  return `Timeline over ${durationText(whole.to - whole.from)}: ${path || 'nothing was seen'}. ${stateText(call)}. The table below has the times.`;
}
