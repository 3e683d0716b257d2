import { address } from '../address.ts';
import { about, isSignedIn, signOut } from '../polykeep/session.ts';

const VIEWS = [
  ['calls', 'Calls'],
  ['outcomes', 'Outcomes'],
  ['health', 'Health'],
] as const;

export function Bar() {
  const [view = 'calls'] = address.value.path;
  const key = about.value?.key;
  return (
    <header class="bar">
      <a class="brand" href="#/calls">
        <Logo />
        polykeep
      </a>
      <nav aria-label="Views">
        {VIEWS.map(([name, title]) => (
          <a key={name} href={`#/${name}`} aria-current={name === view ? 'page' : undefined}>
            {title}
          </a>
        ))}
      </nav>
      {key && isSignedIn() && (
        <div class="who">
          <span class="muted">
            {key.name}
            {key.scope === 'read' && ' · may read'}
          </span>
          <button type="button" onClick={signOut}>
            Sign out
          </button>
        </div>
      )}
    </header>
  );
}

function Logo() {
  return (
    <svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" class="logo">
      <rect width="24" height="24" rx="6" />
      <path d="M5 16h4v-5h5v-4h5" />
      <circle cx="19" cy="7" r="2.2" />
    </svg>
  );
}
