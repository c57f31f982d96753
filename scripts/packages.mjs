// The npm packages that the other scripts use, installed when they are not there.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, root, run, say, withLock } from './run.mjs';

/** The path of an npm package's command. */
export const npmCommand = (name) => join(root, 'node_modules', '.bin', name);

/** Runs `npm ci` unless node_modules holds what package-lock.json asks for. */
export async function ensurePackages() {
  if (packagesAreInstalled()) return;
  await withLock(join(cacheDir, 'npm.lock'), async () => {
    if (packagesAreInstalled()) return;
    say('installing the npm packages (npm ci)');
    await run('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error']);
  });
}

function packagesAreInstalled() {
  const wanted = lockedPackages('package-lock.json');
  const found = lockedPackages(join('node_modules', '.package-lock.json'));
  return Object.entries(wanted).every(
    // Optional packages are those of other systems: npm skips them.
    ([path, { version, optional }]) => path === '' || (found[path]?.version ?? (optional && version)) === version,
  );
}

function lockedPackages(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT') return {};
    throw error;
  }
}
