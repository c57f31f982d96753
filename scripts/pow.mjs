// Builds the proof-of-work solver alone as Wasm, from examples/pow_wasm.rs, for its tests and its bench.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { rustFlags } from './build.mjs';
import { root, run } from './run.mjs';
import { ensureToolchain, target } from './toolchain.mjs';

/** The exports of a solver that has just been built; cargo is not needed, nor any crate: that takes two seconds. */
export async function powSolver() {
  const { env } = await ensureToolchain();
  const directory = join(root, 'target', 'pow');
  const wasm = join(directory, `pow-${process.pid}.wasm`);
  mkdirSync(directory, { recursive: true });
  const options = ['--edition=2024', '--crate-type=cdylib', `--target=${target}`, '-Copt-level=3', '-Ccodegen-units=1', '-Cstrip=debuginfo'];
  await run('rustc', [...options, ...rustFlags.split(' '), join('examples', 'pow_wasm.rs'), '-o', wasm], { env, quiet: true });
  const { instance } = await WebAssembly.instantiate(readFileSync(wasm));
  rmSync(wasm);
  return new Solver(instance.exports);
}

class Solver {
  constructor(exports) {
    this.exports = exports;
  }

  #push(text) {
    for (const byte of Buffer.from(text)) this.exports.push(byte);
  }

  /** The hash of a text, in hexadecimal. */
  hash(text) {
    this.#push(text);
    this.exports.hash();
    const digest = [];
    for (let byte = this.exports.shift(); byte >= 0; byte = this.exports.shift()) digest.push(byte);
    return Buffer.from(digest).toString('hex');
  }

  /** The answer, null when there is none. Calls `pause` after each `budget` numbers. */
  solve({ challenge, salt, expire_at, difficulty }, budget = difficulty, pause = () => {}) {
    this.#push(`${challenge} ${salt}`);
    if (!this.exports.prepare(expire_at, difficulty)) return null;
    for (;;) {
      const answer = this.exports.run(budget);
      if (answer !== -2) return answer < 0 ? null : answer;
      pause();
    }
  }
}
