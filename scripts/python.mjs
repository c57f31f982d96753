// A Python environment for the tests with Python's official SDKs, kept per user.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, isMain, main, output, root, run, say, withLock } from './run.mjs';

const requirements = join(root, 'tests', 'e2e', 'python', 'requirements.txt');

/** The path of a Python that has the tests' requirements, or null, with the reason said. */
export async function ensurePython() {
  if (!existsSync(requirements)) return skip('tests/e2e/python/requirements.txt is not there');
  const version = output('python3', ['-c', 'import sys, venv, ensurepip; print(sys.version)']);
  if (version === null) {
    return skip('python3 with its venv module was not found (on Debian and Ubuntu: apt-get install python3-venv)');
  }
  const wanted = createHash('sha256').update(version).update(readFileSync(requirements)).digest('hex');
  const directory = join(cacheDir, `python-${wanted.slice(0, 16)}`);
  const python = join(directory, 'bin', 'python');
  const complete = join(directory, 'weir-complete'); // written last
  if (!existsSync(complete)) {
    await withLock(join(cacheDir, 'python.lock'), async () => {
      if (existsSync(complete)) return;
      say('making a Python environment for the SDK tests');
      rmSync(directory, { recursive: true, force: true });
      await run('python3', ['-m', 'venv', directory]);
      await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
      writeFileSync(complete, '');
    });
  }
  return python;
}

function skip(reason) {
  say(`SKIPPED: the tests with Python's SDKs: ${reason}`);
  return null;
}

if (isMain(import.meta.url)) {
  await main(async () => {
    const python = await ensurePython();
    if (python) console.log(python);
  });
}
