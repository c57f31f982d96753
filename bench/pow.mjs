// (e) DeepSeek's proof of work: whole searches for an answer that does not exist.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { powSolver } from '../scripts/pow.mjs';
import { Failure, root } from '../scripts/run.mjs';
import { figure, median, row, skipped } from './table.mjs';

const OFFICIAL = 'WEIR_BENCH_DEEPSEEK_WASM';
const ROUNDS = 15;
const DIFFICULTY = 144_000; // the usual one
const HASHES = 20_000; // of the side without a search

/** `native` are nanoseconds a hash, as examples/pow_bench.rs prints them. */
export async function powRows({ paired, scalar }) {
  const solver = await powSolver();
  const official = officialSolver();
  const search = { challenge: '0'.repeat(64), salt: '9feabdd5b0f1e2b4516d', expire_at: 1_790_102_635_309, difficulty: DIFFICULTY };
  const sides = {
    paired: [DIFFICULTY, () => solver.solve(search)],
    scalar: [HASHES, () => solver.exports.hash_one_by_one(HASHES)],
    ...(official && { official: [DIFFICULTY, () => official(search)] }),
  };
  const times = Object.fromEntries(Object.keys(sides).map((side) => [side, []]));
  // The sides take turns, so that noise hits all of them; V8 optimises during the first turns.
  for (let round = -3; round < ROUNDS; round += 1) {
    for (const [side, [hashes, work]] of Object.entries(sides)) {
      const began = performance.now();
      work();
      if (round >= 0) times[side].push(((performance.now() - began) * 1e6) / hashes);
    }
  }
  const wasm = Object.fromEntries(Object.entries(times).map(([side, values]) => [side, median(values)]));
  const against = (what, ours, other, rest) => row(what, { weir: figure(ours, 'ns'), other: figure(other, 'ns'), value: other / ours, ...rest });
  return [
    official
      ? against('proof of work, SIMD Wasm', wasm.paired, wasm.official, { target: { least: 2.2 }, note: 'a hash; compared with the official solver' })
      : skipped('proof of work, the official solver', `set ${OFFICIAL} to the path of its sha3_wasm_bg.….wasm`),
    against('proof of work, SIMD Wasm', wasm.paired, wasm.scalar, { note: 'a hash; compared with scalar Wasm' }),
    against('proof of work, native', paired, scalar, { note: 'a hash; compared with scalar' }),
  ];
}

/** The solver of the service's own pages, as a function from a challenge to the answer; null when none is named. */
function officialSolver() {
  const path = process.env[OFFICIAL];
  if (!path) return null;
  const wasm = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(path))).exports;
  const pass = (text) => {
    const bytes = Buffer.from(text);
    const at = wasm.__wbindgen_export_0(bytes.length, 1);
    new Uint8Array(wasm.memory.buffer).set(bytes, at);
    return [at, bytes.length];
  };
  const solve = ({ challenge, salt, expire_at, difficulty }) => {
    const result = wasm.__wbindgen_add_to_stack_pointer(-16);
    try {
      wasm.wasm_solve(result, ...pass(challenge), ...pass(`${salt}_${expire_at}_`), difficulty);
      const view = new DataView(wasm.memory.buffer);
      return view.getInt32(result, true) === 0 ? null : view.getFloat64(result + 8, true);
    } finally {
      wasm.__wbindgen_add_to_stack_pointer(16);
    }
  };
  const [known] = JSON.parse(readFileSync(join(root, 'tests', 'vectors', 'deepseek-pow.json'), 'utf8'));
  if (solve(known) !== known.answer) throw new Failure(`${path} does not solve a known challenge: is it the official solver?`);
  return solve;
}
