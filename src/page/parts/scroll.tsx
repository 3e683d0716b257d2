import type { ComponentChildren } from 'preact';

/** What may be wider than the window scrolls by itself, by the arrow keys too: hence it takes the focus. */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without it no key scrolls it.
    <section class="scroll" tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
