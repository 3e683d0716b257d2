/**
 * `docs/operations.md` as HTML, so that the page can lead to what is to be done about a trouble where there is no
 * internet. It knows what that document uses: headings, paragraphs, lists, tables, fences, and what is in a line.
 */
export function runbookPage(markdown: string): { content: string; contents: string } {
  const blocks = blocksOf(markdown.replaceAll('\r', ''));
  const headings = blocks.flatMap((block) => headingOf(block) ?? []).filter(({ level }) => level === 2);
  return {
    content: blocks.map(blockHtml).join('\n'),
    contents: headings
      .map(({ text }) => `<li><a href="#${anchorOf(text)}">${inline(text)}</a></li>`)
      .join(''),
  };
}

/** Parts that an empty line, a heading or a fence ends. */
function blocksOf(markdown: string): string[] {
  const parts = markdown.split(/^(```[\s\S]*?^```)$/m);
  return parts
    .flatMap((part) => (part.startsWith('```') ? [part] : part.split(/\n\s*\n|(?<=^#.*)\n/m)))
    .map((part) => part.replace(/^\n+|\s+$/g, ''))
    .filter((part) => part !== '');
}

function headingOf(block: string): { level: number; text: string } | null {
  const { marks = '', text = '' } = /^(?<marks>#{1,4}) (?<text>.*)$/.exec(block)?.groups ?? {};
  return marks === '' ? null : { level: marks.length, text };
}

function blockHtml(block: string): string {
  const heading = headingOf(block);
  if (heading !== null) {
    const { level, text } = heading;
    return `<h${level} id="${anchorOf(text)}">${inline(text)}</h${level}>`;
  }
  if (block.startsWith('```'))
    return `<pre tabindex="0"><code>${escapeHtml(block.replaceAll(/^```.*\n?/gm, ''))}</code></pre>`;
  if (block.startsWith('|')) return table(block);
  if (/^(- |\d+\. )/.test(block)) return list(block);
  return `<p>${inline(block)}</p>`;
}

function list(block: string): string {
  const kind = block.startsWith('- ') ? 'ul' : 'ol';
  const items = block.split(/^(?:- |\d+\. )/m).filter((item) => item.trim() !== '');
  return `<${kind}>${items.map((item) => `<li>${inline(item.trim())}</li>`).join('')}</${kind}>`;
}

function table(block: string): string {
  const [head = [], , ...rows] = block.split('\n').map(cellsOf);
  const row = (cells: string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${inline(cell)}</${tag}>`).join('')}</tr>`;
  const body = rows.map((cells) => row(cells, 'td')).join('');
  return `<div class="scroll" tabindex="0" role="group" aria-label="Table"><table><thead>${row(head, 'th')}</thead><tbody>${body}</tbody></table></div>`;
}

function cellsOf(line: string): string[] {
  return line
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
}

/** Code first: nothing in it is a mark. */
function inline(text: string): string {
  return text
    .split(/(`[^`]+`)/)
    .map((part) => (part.startsWith('`') ? `<code>${escapeHtml(part.slice(1, -1))}</code>` : marked(part)))
    .join('');
}

function marked(text: string): string {
  return (
    escapeHtml(text)
      .replaceAll(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
      .replaceAll(/\[([^\]]*)\]\((#[^)]+)\)/g, '<a href="$2">$1</a>')
      // Other documents are not here.
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
  );
}

/** As GitHub makes them of headings. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-');
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
