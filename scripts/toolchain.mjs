// Makes the Wasm toolchain ready and tells how to call it. Picks by trying: what works is used as it is.
//
//   node scripts/toolchain.mjs     makes everything ready and prints what it found
import { existsSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { debianToolchain } from './toolchain-debian.mjs';
import { Failure, cacheDir, isMain, main, output, root, run, say, succeeds, withLock } from './run.mjs';

export const target = 'wasm32-unknown-unknown';

/** Everything a Wasm build needs: the environment for it and the path of worker-build. */
export async function ensureToolchain() {
  checkPrerequisites();
  const rustEnv = await ensureWasmStd();
  const tools = await ensureTools();
  return {
    workerBuild: tools.workerBuild,
    env: { ...rustEnv, WASM_BINDGEN_BIN: tools.wasmBindgen },
  };
}

export function checkPrerequisites() {
  if (Number(process.versions.node.split('.')[0]) < 20) {
    throw new Failure(`Node 20 or newer is needed, this is ${process.versions.node}. See https://nodejs.org`);
  }
  if (!succeeds('cargo', ['--version']) || !succeeds('rustc', ['--version'])) {
    throw new Failure('Rust is needed: cargo and rustc were not found on PATH. Install them with rustup, see https://rustup.rs');
  }
}

/** A Rust toolchain with a standard library for Wasm: the environment variables that select it. */
async function ensureWasmStd() {
  if (hasWasmStd()) return {};
  const linked = debianToolchain.find();
  if (linked) return linked;
  return withLock(join(cacheDir, 'toolchain.lock'), async () => {
    say(`adding Rust's standard library for ${target}`);
    if (succeeds('rustup', ['target', 'add', target]) && hasWasmStd()) return {};
    if (debianToolchain.possible()) {
      say('rustup cannot download it; taking a Rust toolchain from Debian packages instead (about 2 minutes, once)');
      return debianToolchain.make();
    }
    throw new Failure(
      `Rust has no standard library for ${target}, and it could not be added.\n` +
        `  With rustup: run "rustup target add ${target}" and see why it fails.\n` +
        '  Without rustup: install your system\'s package of it, or Rust by https://rustup.rs.\n' +
        '  On Debian without access to rustup\'s downloads: run this once as root.',
    );
  });
}

function hasWasmStd() {
  const directory = output('rustc', ['--print', 'target-libdir', '--target', target]);
  return directory !== null && existsSync(directory) && readdirSync(directory).some((name) => /^libcore-.*\.rlib$/.test(name));
}

/** worker-build and wasm-bindgen, of the versions that Cargo.lock asks for, built once per user. */
async function ensureTools() {
  const wanted = [
    { name: 'worker-build', version: lockedVersion('worker') },
    { name: 'wasm-bindgen-cli', version: lockedVersion('wasm-bindgen') },
  ];
  const missing = () => wanted.filter((tool) => !existsSync(toolDirectory(tool)));
  if (missing().length > 0) {
    await withLock(join(cacheDir, 'tools.lock'), () => installTools(missing()));
  }
  const [workerBuild, wasmBindgen] = wanted.map(toolDirectory);
  return { workerBuild: join(workerBuild, 'bin', 'worker-build'), wasmBindgen: join(wasmBindgen, 'bin', 'wasm-bindgen') };
}

const toolDirectory = ({ name, version }) => join(cacheDir, 'tools', `${name}-${version}`);

async function installTools(tools) {
  if (tools.length === 0) return; // another process has made them while we waited
  const names = tools.map(({ name, version }) => `${name} ${version}`).join(' and ');
  say(`building ${names} (about 2 minutes each on two cores, once; kept in ${cacheDir})`);
  const targetDir = join(cacheDir, 'tools', 'target'); // shared: they have dependencies in common
  const env = {
    CARGO_TARGET_DIR: targetDir,
    // These tools run for a second or two per build: a quick compilation is worth more than a quick tool.
    CARGO_PROFILE_RELEASE_OPT_LEVEL: '1',
    CARGO_PROFILE_RELEASE_LTO: 'off',
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
    CARGO_PROFILE_RELEASE_DEBUG: 'false',
    ...(process.stderr.isTTY ? {} : { CARGO_TERM_QUIET: 'true' }),
  };
  for (const tool of tools) {
    const staged = `${toolDirectory(tool)}.new`;
    rmSync(staged, { recursive: true, force: true });
    const install = ['install', `${tool.name}@${tool.version}`, '--root', staged];
    try {
      await run('cargo', [...install, '--locked'], { env });
    } catch {
      // The versions a tool was released with may be gone, or not yet in a mirror.
      say(`${tool.name} does not build with its locked dependencies; trying without`);
      await run('cargo', install, { env });
    }
    renameSync(staged, toolDirectory(tool)); // appears whole or not at all
  }
  rmSync(targetDir, { recursive: true, force: true });
}

function lockedVersion(name) {
  const lock = readFileSync(join(root, 'Cargo.lock'), 'utf8');
  const version = lock.match(new RegExp(`^name = "${name}"\\nversion = "([^"]+)"`, 'm'))?.[1];
  if (!version) throw new Failure(`Cargo.lock names no package "${name}"; run "cargo generate-lockfile"`);
  return version;
}

if (isMain(import.meta.url)) {
  await main(async () => {
    const { workerBuild, env } = await ensureToolchain();
    console.log(JSON.stringify({ workerBuild, env }, null, 2));
  });
}
