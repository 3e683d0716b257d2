import { chromiumPath, NO_CHROMIUM } from './chromium-choice.ts';
import { canInstall, install } from './debian.ts';

/** Before the tests: as root on Debian, where there is no browser, Debian's own is installed. Without one the page is not tested. */
if (chromiumPath() === null) {
  if (canInstall()) tryToInstall();
  else console.log(`the page is not tested: ${NO_CHROMIUM}`);
}

function tryToInstall(): void {
  console.log('no browser at hand: installing chromium with apt-get');
  try {
    install('chromium');
  } catch (error) {
    console.log(`the page is not tested: ${error instanceof Error ? error.message.trim() : error}`);
  }
}
