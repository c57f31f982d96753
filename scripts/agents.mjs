// The coding agents that the tests drive, installed from npm and kept per user: each is larger than all else here together.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, output, run, say, withLock } from './run.mjs';

const agents = {
  claude: { name: '@anthropic-ai/claude-code', version: '2.1.329' },
  codex: { name: '@openai/codex', version: '0.169.0' },
};

/** `{ path }` of an agent's command, or `{ reason }` why there is none. */
export async function ensureAgent(command) {
  const { name, version } = agents[command];
  const directory = join(cacheDir, `${command}-${version}`);
  const path = join(directory, 'node_modules', '.bin', command);
  const complete = join(directory, 'weir-complete'); // written last
  try {
    await withLock(join(cacheDir, `${command}.lock`), async () => {
      if (existsSync(complete)) return;
      say(`installing ${name} ${version} for the tests`);
      rmSync(directory, { recursive: true, force: true });
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, 'package.json'), '{"private":true}');
      await run('npm', ['install', '--no-fund', '--no-audit', '--loglevel=error', '--fetch-retries=1', `${name}@${version}`], { cwd: directory, quiet: true });
      writeFileSync(complete, '');
    });
  } catch (error) {
    return { reason: `${name} ${version} did not install: ${error.message}` };
  }
  if (!output(path, ['--version'])?.includes(version)) return { reason: `${name} ${version} does not run on this system` };
  return { path };
}
