import { render } from 'preact';
import { followAddress } from './address.ts';
import { App } from './app.tsx';
import { open } from './polykeep/session.ts';

const page = document.getElementById('page');
if (page !== null) {
  followAddress();
  void open();
  page.replaceChildren();
  render(<App />, page);
}
