// Where rustup cannot download the Wasm standard library: Rust with its library sources from Debian packages,
// out of which the standard library is built for Wasm, once. It becomes the rustup toolchain "weir-debian".
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure, output, run, say, succeeds } from './run.mjs';

const target = 'wasm32-unknown-unknown';
const toolchain = 'weir-debian';
const rustc = '/usr/bin/rustc';
const libDirectory = `/usr/lib/rustlib/${target}/lib`;
/** Names the compiler that built the library: another one's is of no use. */
const builtBy = join(libDirectory, 'weir-built-by');

export const debianToolchain = {
  /** The environment that selects it, or null when it is not there (or out of date). */
  find() {
    if (!existsSync(builtBy) || readFileSync(builtBy, 'utf8') !== output(rustc, ['-Vv'])) return null;
    return newestLinker() && succeeds('rustc', ['-V'], { env: { RUSTUP_TOOLCHAIN: toolchain } }) ? environment() : null;
  },

  possible: () => existsSync('/usr/bin/apt-get') && process.getuid?.() === 0 && succeeds('rustup', ['--version']),

  async make() {
    await installPackages();
    await buildStandardLibrary();
    await run('rustup', ['toolchain', 'link', toolchain, '/usr'], { quiet: true });
    return environment();
  },
};

const environment = () => ({
  RUSTUP_TOOLCHAIN: toolchain,
  // Debian's compiler comes without rust-lld.
  CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: newestLinker(),
});

const newest = (names) => names.sort((a, b) => a.match(/\d+$/)[0] - b.match(/\d+$/)[0]).at(-1);

function newestLinker() {
  const name = newest(readdirSync('/usr/bin').filter((file) => /^wasm-ld-\d+$/.test(file)));
  return name && join('/usr/bin', name);
}

async function installPackages() {
  const apt = { quiet: true, env: { DEBIAN_FRONTEND: 'noninteractive' } };
  await run('apt-get', ['update'], apt).catch((error) => say(error.message)); // older lists may still do
  const lld = newest((output('apt-cache', ['pkgnames', 'lld-']) ?? '').split('\n').filter((name) => /^lld-\d+$/.test(name)));
  if (!lld || !succeeds('apt-cache', ['show', 'rustc-web'])) {
    throw new Failure(
      `this system's packages have no rustc-web and lld; run "rustup target add ${target}" where rustup's downloads can be reached`,
    );
  }
  await run('apt-get', ['install', '-y', '--no-install-recommends', 'rustc-web', 'cargo-web', 'rust-web-src', lld], apt);
}

async function buildStandardLibrary() {
  const directory = mkdtempSync(join(tmpdir(), 'weir-std-'));
  try {
    mkdirSync(join(directory, 'src'));
    writeFileSync(join(directory, 'src', 'lib.rs'), '#![no_std]\n');
    writeFileSync(join(directory, 'Cargo.toml'), '[package]\nname = "std-for-wasm"\nversion = "0.0.0"\nedition = "2021"\n');
    const args = ['build', '--release', '-Z', 'build-std=std,panic_abort', '--target', target];
    await run('/usr/bin/cargo', args, {
      cwd: directory,
      quiet: true,
      env: {
        PATH: `/usr/bin:${process.env.PATH}`, // Debian's cargo and rustc, not rustup's proxies
        RUSTC: rustc,
        RUSTC_BOOTSTRAP: '1', // -Z build-std on a stable compiler
        RUSTFLAGS: '-Cembed-bitcode=yes', // without bitcode, `lto = true` cannot use the library
        CARGO_TARGET_DIR: join(directory, 'target'),
      },
    });
    const built = join(directory, 'target', target, 'release', 'deps');
    rmSync(libDirectory, { recursive: true, force: true }); // two versions side by side would be ambiguous
    mkdirSync(libDirectory, { recursive: true });
    for (const file of readdirSync(built).filter((name) => name.endsWith('.rlib') && !name.startsWith('libstd_for_wasm'))) {
      copyFileSync(join(built, file), join(libDirectory, file));
    }
    writeFileSync(builtBy, output(rustc, ['-Vv']));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
