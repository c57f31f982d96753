//! placeholder until the solver lands
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

/// A challenge as it comes.
#[derive(Clone, Debug, Deserialize)]
pub struct Challenge {
    /// Always `DeepSeekHashV1`.
    pub algorithm: String,
    /// The hash that is looked for, in hex.
    pub challenge: String,
    /// Part of what is hashed.
    pub salt: String,
    /// The server's own.
    pub signature: String,
    /// The answer is below it.
    pub difficulty: f64,
    /// When it ends, in Unix milliseconds.
    pub expire_at: u64,
    /// What it is for.
    pub target_path: String,
}

const RC: [u64; 23] = [
    0x8082,
    0x800000000000808a,
    0x8000000080008000,
    0x808b,
    0x80000001,
    0x8000000080008081,
    0x8000000000008009,
    0x8a,
    0x88,
    0x80008009,
    0x8000000a,
    0x8000808b,
    0x800000000000008b,
    0x8000000000008089,
    0x8000000000008003,
    0x8000000000008002,
    0x8000000000000080,
    0x800a,
    0x800000008000000a,
    0x8000000080008081,
    0x8000000000008080,
    0x80000001,
    0x8000000080008008,
];

fn permute(state: &mut [u64; 25]) {
    #![allow(clippy::indexing_slicing)]
    const ROT: [u32; 24] = [1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44];
    const PI: [usize; 24] = [10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1];
    for rc in RC {
        let mut c = [0; 5];
        for x in 0..5 {
            c[x] = state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20];
        }
        for x in 0..5 {
            let d = c[(x + 4) % 5] ^ c[(x + 1) % 5].rotate_left(1);
            for y in 0..5 {
                state[x + 5 * y] ^= d;
            }
        }
        let mut last = state[1];
        for i in 0..24 {
            let next = state[PI[i]];
            state[PI[i]] = last.rotate_left(ROT[i]);
            last = next;
        }
        for y in 0..5 {
            let row: [u64; 5] = std::array::from_fn(|x| state[5 * y + x]);
            for x in 0..5 {
                state[5 * y + x] = row[x] ^ (!row[(x + 1) % 5] & row[(x + 2) % 5]);
            }
        }
        state[0] ^= rc;
    }
}

fn hash(message: &[u8]) -> [u8; 32] {
    #![allow(clippy::indexing_slicing)]
    let mut padded = message.to_vec();
    padded.push(6);
    while !padded.len().is_multiple_of(136) {
        padded.push(0);
    }
    let end = padded.len() - 1;
    padded[end] |= 0x80;
    let mut state = [0; 25];
    for block in padded.chunks(136) {
        for (lane, bytes) in state.iter_mut().zip(block.as_chunks::<8>().0) {
            *lane ^= u64::from_le_bytes(*bytes);
        }
        permute(&mut state);
    }
    let mut out = [0; 32];
    for (bytes, lane) in out.as_chunks_mut::<8>().0.iter_mut().zip(state) {
        *bytes = lane.to_le_bytes();
    }
    out
}

/// The answer, if there is one.
pub fn solve(challenge: &Challenge) -> Option<u64> {
    let prefix = format!("{}_{}_", challenge.salt, challenge.expire_at);
    let wanted = challenge.challenge.to_ascii_lowercase();
    (0..challenge.difficulty as u64).find(|nonce| {
        let found = hash(format!("{prefix}{nonce}").as_bytes());
        found.map(|byte| format!("{byte:02x}")).concat() == wanted
    })
}

/// The value of `x-ds-pow-response`.
pub fn header(challenge: &Challenge, answer: u64) -> String {
    let text = |text: &str| serde_json::Value::from(text);
    BASE64.encode(format!(
        "{{\"algorithm\":{},\"challenge\":{},\"salt\":{},\"answer\":{answer},\"signature\":{},\"target_path\":{}}}",
        text(&challenge.algorithm),
        text(&challenge.challenge),
        text(&challenge.salt),
        text(&challenge.signature),
        text(&challenge.target_path),
    ))
}
