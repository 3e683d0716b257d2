import { useState } from 'preact/hooks';

const THANKS_MS = 1_500;

/** Copies a text; where the browser does not let us (no https), the text can still be selected. */
export function Copy({ text, what }: { text: string; what: string }) {
  const [isCopied, setCopied] = useState(false);
  if (navigator.clipboard === undefined) return null;

  async function copy(): Promise<void> {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(setCopied, THANKS_MS, false);
  }

  return (
    <button type="button" class="quiet" onClick={() => void copy()} aria-label={`Copy ${what}`}>
      <span role="status">{isCopied ? 'Copied' : 'Copy'}</span>
    </button>
  );
}
