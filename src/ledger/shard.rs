//! Which part of the ledger owns what, where it is split (architecture §3). By rendezvous hashing: a new shard takes its
//! share from the others, and nothing else moves.
use sha2::{Digest, Sha256};

/// The shard, of so many, that owns an account or is the home of a key.
pub fn of(id: &str, shards: u32) -> u32 {
    (0..shards).max_by_key(|shard| weight(id, *shard)).unwrap_or(0)
}

/// The shards of `candidates` in the order in which a request tries them: its key's home, then as `name` has it.
pub fn order(candidates: &[u32], home: Option<u32>, name: &str) -> Vec<u32> {
    let mut order = candidates.to_vec();
    order.sort_by_key(|shard| (Some(*shard) != home, std::cmp::Reverse(weight(name, *shard))));
    order
}

/// The name of a shard's object. The first keeps the name that an unsplit ledger has.
pub fn object_name(shard: u32) -> String {
    if shard == 0 { "main".to_owned() } else { format!("shard-{shard}") }
}

/// The shard of the object of this name.
pub fn of_object(name: &str) -> u32 {
    name.strip_prefix("shard-").and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn weight(id: &str, shard: u32) -> [u8; 32] {
    Sha256::new().chain_update(shard.to_le_bytes()).chain_update(id).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_shard_takes_its_share_and_nothing_else_moves() {
        let ids: Vec<String> = (0..4_000).map(|number| format!("account-{number}")).collect();
        for shards in 1..8 {
            let moved: Vec<_> = ids.iter().filter(|id| of(id, shards) != of(id, shards + 1)).collect();
            assert!(moved.iter().all(|id| of(id, shards + 1) == shards), "only to the new one");
            let share = ids.len() / (shards as usize + 1);
            assert!(moved.len().abs_diff(share) < share / 5, "{} of {share}", moved.len());
        }
        assert_eq!(of("a", 5), of("a", 5));
    }

    #[test]
    fn a_request_goes_home_first_and_then_always_the_same_way() {
        let order_of = |home, name: &str| order(&[0, 1, 2, 3], home, name);
        assert_eq!(order_of(Some(2), "x").first(), Some(&2));
        assert_eq!(order_of(None, "x"), order_of(None, "x"));
        let firsts: std::collections::BTreeSet<u32> =
            (0..50).filter_map(|number| order_of(None, &number.to_string()).first().copied()).collect();
        assert_eq!(firsts.len(), 4);
        assert_eq!(order(&[1, 3], Some(2), "x").len(), 2, "a home without such accounts is not tried");
    }

    #[test]
    fn names_are_shards() {
        for shard in 0..20 {
            assert_eq!(of_object(&object_name(shard)), shard);
        }
    }
}
