// DeepSeekHashV1: SHA3-256 whose permutation lacks its first round. Slow and plain: a challenge takes one hash.
const MASK = (1n << 64n) - 1n;
const rotate = (lane, by) => (by === 0n ? lane : ((lane << by) | (lane >> (64n - by))) & MASK);

/** The round constants of Keccak-f[1600], made as FIPS 202 makes them. */
const constants = (() => {
  let state = 1;
  const bit = () => {
    const out = state & 1;
    state <<= 1;
    if (state & 0x100) state ^= 0x171;
    return out;
  };
  return Array.from({ length: 24 }, () => {
    let constant = 0n;
    for (let j = 0; j <= 6; j += 1) if (bit()) constant |= 1n << BigInt(2 ** j - 1);
    return constant;
  });
})();

/** Rotations by column and row. */
const offsets = (() => {
  const table = Array(25).fill(0n);
  let [x, y] = [1, 0];
  for (let t = 0; t < 24; t += 1) {
    table[x + 5 * y] = BigInt((((t + 1) * (t + 2)) / 2) % 64);
    [x, y] = [y, (2 * x + 3 * y) % 5];
  }
  return table;
})();

function permute(lanes) {
  for (let round = 1; round < 24; round += 1) {
    const parity = Array.from({ length: 5 }, (_, x) => lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]);
    for (let at = 0; at < 25; at += 1) lanes[at] ^= parity[(at + 4) % 5] ^ rotate(parity[(at + 1) % 5], 1n);
    const moved = Array(25);
    for (let x = 0; x < 5; x += 1) for (let y = 0; y < 5; y += 1) moved[y + 5 * ((2 * x + 3 * y) % 5)] = rotate(lanes[x + 5 * y], offsets[x + 5 * y]);
    for (let y = 0; y < 25; y += 5) for (let x = 0; x < 5; x += 1) lanes[y + x] = moved[y + x] ^ (~moved[y + ((x + 1) % 5)] & MASK & moved[y + ((x + 2) % 5)]);
    lanes[0] ^= constants[round];
  }
}

/** The hash of a text, in hex. */
export function hash(text) {
  const message = Buffer.from(text);
  const padded = Buffer.alloc((Math.floor(message.length / 136) + 1) * 136);
  message.copy(padded);
  padded[message.length] ^= 0x06;
  padded[padded.length - 1] ^= 0x80;
  const lanes = Array(25).fill(0n);
  for (let block = 0; block < padded.length; block += 136) {
    for (let lane = 0; lane < 17; lane += 1) lanes[lane] ^= padded.readBigUInt64LE(block + lane * 8);
    permute(lanes);
  }
  const out = Buffer.alloc(32);
  for (let lane = 0; lane < 4; lane += 1) out.writeBigUInt64LE(lanes[lane], lane * 8);
  return out.toString('hex');
}
