// Builds the Worker: the page and the description of its routes into public/, and Rust to Wasm, bundled with its JavaScript shim, into build/.
//
//   node scripts/build.mjs [--dev] [--force]
//
// Without --dev the build is optimised. WEIR_PROFILE=dev asks for --dev where no argument can be given
// (wrangler's [build] command). Nothing is built when build/ is up to date, unless --force.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildDescription } from './build-openapi.mjs';
import { buildUi } from './build-ui.mjs';
import { ensurePackages, npmCommand } from './packages.mjs';
import { duration, isMain, main, root, run, say, withLock } from './run.mjs';
import { ensureToolchain } from './toolchain.mjs';

// Its own target directory: other flags and another target than `cargo test` has.
const targetDir = join(root, 'target', 'wasm');
const stampFile = join(targetDir, 'weir-build.json');
const outputs = ['index.js', 'index_bg.wasm'].map((name) => join(root, 'build', name));
const bundledByWrangler = [join('src', 'entry.js'), join('src', 'page.js')];
// What is uploaded counts as gzip sees it, within 32 KB at a time. So the copies of a generic function stand together, by
// name: 33 KB less; a function with one caller stays one, unless it is tiny: inlined it is like no other, 50 KB more; and
// zeros stay in the data, which gzip packs better.
const wasmOpt = [
  '-Os', '--one-caller-inline-max-function-size=10', '--skip-pass=memory-packing', '--reorder-functions-by-name',
  '--enable-exception-handling', // as worker-build has it
];
export const rustFlags = '-C target-feature=+simd128'; // memchr has a SIMD version for Wasm

/** Builds what is not up to date. */
export async function build({ dev = false, force = false } = {}) {
  await buildUi({ force });
  buildDescription();
  await buildWorker({ dev, force });
}

async function buildWorker({ dev, force }) {
  if (!force && isFresh(dev)) return;
  await ensurePackages();
  const toolchain = await ensureToolchain();
  await withLock(join(targetDir, 'weir-build.lock'), async () => {
    if (!force && isFresh(dev)) return; // another process has just built it
    const inputs = fingerprint(); // taken before: an edit during the build makes its result stale
    rmSync(stampFile, { force: true });
    const started = Date.now();
    say(`building the Worker (${dev ? 'dev' : 'release'})`);
    await run(toolchain.workerBuild, dev ? ['--dev'] : ['--release', '--no-opt'], {
      env: {
        ...toolchain.env,
        CARGO_TARGET_DIR: targetDir,
        RUSTFLAGS: rustFlags,
        CARGO_PROFILE_RELEASE_OPT_LEVEL: 'z', // a sixth smaller than 3, for a tenth more CPU
        ESBUILD_BIN: npmCommand('esbuild'),
        ...(process.stderr.isTTY ? {} : { CARGO_TERM_QUIET: 'true' }),
      },
    });
    if (!dev) {
      // Not by worker-build, which keeps the functions' names: an eighth of what is uploaded.
      const wasm = join(root, 'build', 'index_bg.wasm');
      await run(npmCommand('wasm-opt'), [wasm, ...wasmOpt, '-o', wasm]);
    }
    writeFileSync(stampFile, JSON.stringify({ dev, inputs }));
    say(`built the Worker in ${duration(Date.now() - started)}`);
  });
}

function isFresh(dev) {
  if (!outputs.every(existsSync) || !existsSync(stampFile)) return false;
  const built = JSON.parse(readFileSync(stampFile, 'utf8'));
  // A release build serves where a dev build would do, not the other way round.
  return (dev || !built.dev) && built.inputs === fingerprint();
}

/** A hash over everything that goes into the build. By content, so that changing branches and back rebuilds nothing. */
function fingerprint() {
  const hash = createHash('sha256');
  const sources = readdirSync(join(root, 'src'), { recursive: true })
    .map((name) => join('src', name))
    .filter((name) => name.endsWith('.rs') || name.endsWith('.js') || name.endsWith('.json') || name.endsWith('Cargo.toml'))
    .filter((name) => !bundledByWrangler.includes(name))
    .sort();
  for (const name of ['Cargo.toml', 'Cargo.lock', join('scripts', 'build.mjs'), ...sources]) {
    const content = readFileSync(join(root, name));
    hash.update(`${name}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

if (isMain(import.meta.url)) {
  await main(() => {
    const dev = process.argv.includes('--dev') || process.env.WEIR_PROFILE === 'dev';
    return build({ dev, force: process.argv.includes('--force') });
  });
}
