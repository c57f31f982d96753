use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use proptest::prelude::*;
use serde::Deserialize;

use super::{Challenge, Progress, Solver, hash, solve};

#[derive(Deserialize)]
struct Vector {
    challenge: String,
    salt: String,
    expire_at: u64,
    difficulty: u64,
    answer: Option<u64>,
}

/// Challenges with the answers of the official solver; the last seven are the service's own.
fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../../../../tests/vectors/deepseek-pow.json")).unwrap()
}

fn hex(digest: [u8; 32]) -> String {
    hex::encode(digest)
}

/// The challenge that has `answer` for its answer.
fn challenge_for(salt: &str, expire_at: u64, answer: u64) -> String {
    hex(hash(format!("{salt}_{expire_at}_{answer}").as_bytes()))
}

/// Goes on from a number far into the search.
fn solver_at(challenge: &str, salt: &str, expire_at: u64, from: u64, difficulty: u64) -> Solver {
    Solver::new(challenge, salt, expire_at, difficulty).unwrap().starting_at(from)
}

#[test]
fn the_hash_is_the_one_of_the_service() {
    let known = [
        (String::new(), "e594808bc5b7151ac160c6d39a02e0a8e261ed588578403099e3561dc40c26b3"),
        ("abc".into(), "f841106c601ce9be9bc38525e90d4178d47f21dd8eb9f238fc55ffaa4ca94506"),
        ("testsalt_1700000000_42".into(), "d4a2ea58c89e40887c933484868380c6f803eaa8dc53a3b9df8e431b921a4f09"),
        ("x".repeat(135), "83b37f61450bade766525ba50e2989c301c7a6e1dea2a3b75a7ea76c95d220ab"),
        ("x".repeat(136), "9c8a9eefd990d3073104fa5a3dd2d090681086778caccfa5b9af53b859752a99"),
        ("x".repeat(137), "0ea4ef238af5fccabb511b3fb357bb2a4eab514e525d983474631379da418c72"),
        ("盐_1_2".into(), "c7818458fe1bee93e0eb505731e596e83119212f6093d1831355f11b8413a16e"),
    ];
    for (message, digest) in known {
        assert_eq!(hex(hash(message.as_bytes())), digest, "{message}");
    }
}

#[test]
fn every_vector_is_solved() {
    for Vector { challenge, salt, expire_at, difficulty, answer } in vectors() {
        // Unoptimised, a whole search takes seconds: only its end, here. In Wasm, tests/e2e/pow.test.mjs does all of it.
        let from = answer.unwrap_or(difficulty).saturating_sub(1_000);
        let found = match solver_at(&challenge, &salt, expire_at, from, difficulty).run(u64::MAX) {
            Progress::Found(answer) => Some(answer),
            Progress::Exhausted => None,
            Progress::Pending => panic!("an unlimited search ends"),
        };
        assert_eq!(found, answer, "{challenge}");
    }
}

#[test]
fn the_difficulty_is_exclusive() {
    let challenge = challenge_for("00", 1, 300);
    assert_eq!(solve(&challenge, "00", 1, 301), Some(300));
    assert_eq!(solve(&challenge, "00", 1, 300), None);
    assert_eq!(solve(&challenge, "00", 1, 0), None);
}

#[test]
fn a_search_in_pieces_finds_the_same() {
    let challenge = challenge_for("00", 1, 300);
    for budget in [1, 7, 128, 1_000] {
        let mut solver = Solver::new(&challenge, "00", 1, 1_000).unwrap();
        let mut pieces = 0;
        let end = loop {
            pieces += 1;
            match solver.run(budget) {
                Progress::Pending => assert!(pieces <= 301),
                end => break end,
            }
        };
        assert_eq!(end, Progress::Found(300), "budget {budget}");
    }
}

#[test]
fn the_challenge_may_be_in_capitals_and_must_be_a_hash() {
    let challenge = challenge_for("00", 1, 5).to_uppercase();
    assert_eq!(solve(&challenge, "00", 1, 10), Some(5));
    for bad in ["", "00", &"g".repeat(64), &"+".repeat(64), &"é".repeat(32)] {
        assert!(Solver::new(bad, "00", 1, 10).is_none(), "{bad}");
    }
}

#[test]
fn a_prefix_of_any_length_will_do() {
    // Around the end of a block of 136 bytes, digits and padding share a block or do not.
    for length in [0, 1, 100, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130, 131, 132, 133, 134, 260, 300] {
        let salt = "é".repeat(length / 2) + &"s".repeat(length % 2);
        let challenge = challenge_for(&salt, 17, 1_003);
        assert_eq!(solve(&challenge, &salt, 17, 1_100), Some(1_003), "{length} bytes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The hash takes one message at a time, the search two: this compares them.
    #[test]
    fn the_search_agrees_with_the_hash(
        salt in "[0-9a-f]{0,40}",
        expire_at: u64,
        answer in 0..u64::MAX / 2,
        shift in 0..63,
        before in 0..400_u64,
        after in 1..400_u64,
    ) {
        let answer = answer >> shift;
        let challenge = challenge_for(&salt, expire_at, answer);
        let from = answer.saturating_sub(before);
        prop_assert_eq!(
            solver_at(&challenge, &salt, expire_at, from, answer + after).run(u64::MAX),
            Progress::Found(answer)
        );
        prop_assert_eq!(
            solver_at(&challenge, &salt, expire_at, from, answer).run(u64::MAX),
            Progress::Exhausted
        );
    }
}

fn challenge() -> Challenge {
    // The first of the vectors, answer 1624.
    serde_json::from_value(serde_json::json!({
        "algorithm": "DeepSeekHashV1",
        "challenge": "b9ef2b8ec62df9649fe44b7d64391d43a4d34ed30c59604ad8ef6c7909564198",
        "salt": "9feabdd5b0f1e2b4516d",
        "signature": "5e".repeat(32),
        "difficulty": 144_000,
        "expire_at": 1_790_102_635_309_u64,
        "expire_after": 300_000,
        "target_path": "/api/v0/chat/completion",
    }))
    .unwrap()
}

#[test]
fn a_challenge_is_solved_and_answered() {
    let challenge = challenge();
    assert_eq!(challenge.solver().unwrap().run(u64::MAX), Progress::Found(1_624));
    let json = BASE64.decode(challenge.header(1_624).unwrap()).unwrap();
    let expected = format!(
        r#"{{"algorithm":"DeepSeekHashV1","challenge":"{}","salt":"{}","answer":1624,"signature":"{}","target_path":"/api/v0/chat/completion"}}"#,
        challenge.challenge, challenge.salt, challenge.signature,
    );
    assert_eq!(String::from_utf8(json).unwrap(), expected);
}

#[test]
fn another_algorithm_is_not_solved() {
    let other = Challenge { algorithm: "DeepSeekHashV2".into(), ..challenge() };
    assert!(other.solver().is_none());
    assert!(Challenge { difficulty: u64::MAX, ..challenge() }.solver().is_none());
}
