import { useEffect } from 'preact/hooks';

/** What the tab is called, and the browser's history: several tabs can be told apart. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · polykeep`;
  }, [title]);
}
