// Runs all tests, after installing what they need. Stops at the first step that fails.
//
//   npm test                 everything
//   npm test -- native       formatting, lints and unit tests: no Wasm needed
//   npm test -- e2e [FILE…]  builds the Worker and tests it in its real runtime
import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { build } from './build.mjs';
import { ensurePackages, npmCommand } from './packages.mjs';
import { ensurePython } from './python.mjs';
import { Failure, duration, main, root, run, say, succeeds } from './run.mjs';
import { checkPrerequisites } from './toolchain.mjs';

const steps = {
  native: [
    ['formatting', () => cargoTool('fmt', ['--check'], 'rustfmt')],
    ['lints', () => cargoTool('clippy', ['--all-targets', '--', '-D', 'warnings'], 'clippy')],
    ['unit tests', () => run('cargo', ['test'])],
  ],
  e2e: [
    ['npm packages', ensurePackages],
    ['types of the page', () => run(npmCommand('tsc'), ['-p', 'ui'])],
    ['Wasm build', () => build()],
    ['end-to-end tests', endToEnd],
  ],
};

await main(async () => {
  checkPrerequisites();
  const [group] = process.argv.slice(2);
  if (group && !steps[group]) throw new Failure(`there is no group of tests "${group}"; there are: ${Object.keys(steps).join(', ')}`);
  const started = Date.now();
  for (const [name, step] of group ? steps[group] : Object.values(steps).flat()) {
    await announce(name, step);
  }
  say(`all passed in ${duration(Date.now() - started)}`);
});

async function announce(name, step) {
  say(`── ${name}`);
  const started = Date.now();
  try {
    await step();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(`FAILED: ${name}, after ${duration(Date.now() - started)}: ${error.message}`);
  }
  say(`── ${name}: ${duration(Date.now() - started)}\n`);
}

/** Runs a cargo subcommand that is a component of its own, which an installation of Rust may lack. */
async function cargoTool(command, args, component) {
  if (!succeeds('cargo', [command, '--version'])) {
    return say(`SKIPPED: cargo ${command} is not installed (rustup component add ${component})`);
  }
  await run('cargo', [command, ...args]);
}

async function endToEnd() {
  const named = process.argv.slice(3);
  const files = named.length > 0 ? named : testFiles();
  if (files.length === 0) throw new Failure('there are no files tests/e2e/**/*.test.mjs');
  const python = await ensurePython();
  // The files are named one by one: what a directory means to `node --test` differs between versions of Node.
  await run(process.execPath, ['--test', '--test-reporter=spec', ...files], { env: python ? { WEIR_PYTHON: python } : {} });
}

function testFiles() {
  const directory = join(root, 'tests', 'e2e');
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true })
    .filter((name) => name.endsWith('.test.mjs'))
    .map((name) => relative(root, join(directory, name)))
    .sort();
}
