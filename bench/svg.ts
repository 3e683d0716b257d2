/** What all charts have: readable on a white and on a dark page, ours in colour. */
export const OURS = '#1f6feb';
export const OTHERS = '#9aa4b2';
const TEXT = '#24292f';

export interface Drawing {
  title: string;
  unit: string;
  width: number;
  height: number;
  /** Elements of SVG, the lowest first. */
  marks: readonly string[];
}

export function svg({ title, unit, width, height, marks }: Drawing): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="14" fill="${TEXT}">
<title>${escaped(`${title} (${unit})`)}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="16" y="30" font-size="17" font-weight="600">${escaped(title)} <tspan font-size="13" font-weight="400">(${escaped(unit)})</tspan></text>
${marks.join('\n')}
</svg>
`;
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
