// The browser that the tests of the page drive: the system's Chromium, installed from Debian's packages where that can be.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, output, run, say, withLock } from './run.mjs';

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** What it is started with: nothing that it would look up on the network by itself, and no sandbox, which root has not. */
export const chromiumArgs = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** `{ path }` of the browser, or `{ reason }` why there is none. `WEIR_CHROMIUM` names another one. */
export async function ensureChromium() {
  const found = () => [process.env.WEIR_CHROMIUM, ...places].find((path) => path && existsSync(path));
  if (!found()) {
    if (!existsSync('/usr/bin/apt-get') || process.getuid?.() !== 0) {
      return { reason: 'there is no Chromium; install it, or name one in WEIR_CHROMIUM' };
    }
    try {
      await withLock(join(cacheDir, 'chromium.lock'), install);
    } catch (error) {
      return { reason: `Chromium did not install: ${error.message}` };
    }
  }
  const path = found();
  return path && output(path, ['--version']) ? { path } : { reason: `${path ?? 'Chromium'} does not run on this system` };
}

async function install() {
  if (existsSync(places[0])) return; // another process has installed it while we waited
  say('installing Chromium for the tests of the page');
  const apt = { quiet: true, env: { DEBIAN_FRONTEND: 'noninteractive' } };
  await run('apt-get', ['update'], apt).catch((error) => say(error.message)); // older lists may still do
  await run('apt-get', ['install', '-y', '--no-install-recommends', 'chromium', 'fonts-noto-core', 'fonts-wqy-microhei'], apt);
}
