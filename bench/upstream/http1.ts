import type { Socket } from 'node:net';
import type { Answers, Said } from './answers.ts';
import type { Delay } from './delay.ts';

const REASONS = { 200: 'OK', 429: 'Too Many Requests', 502: 'Bad Gateway' };
const rendered = new Map<Said, string>();

/** Answers what comes over a connection, without a parser: no request has a body. */
export function serveHttp1(socket: Socket, answers: Answers, delay: Delay): void {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  const peer = { countedIn: 0 };
  let rest = '';
  socket.on('data', (chunk) => {
    rest += chunk.toString('latin1');
    let text = '';
    for (let end = rest.indexOf('\r\n\r\n'); end !== -1; end = rest.indexOf('\r\n\r\n')) {
      text += textOf(answers.to(rest, peer));
      rest = rest.slice(end + 4);
    }
    if (text !== '') delay.put(() => socket.write(text, 'latin1'));
  });
}

function textOf(said: Said): string {
  let text = rendered.get(said);
  if (text === undefined) {
    const { code, body } = said;
    const retry = code === 429 ? 'retry-after: 1\r\n' : '';
    text = `HTTP/1.1 ${code} ${REASONS[code]}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n${retry}\r\n${body}`;
    rendered.set(said, text);
  }
  return text;
}
