//! What an account or a client key may do: absent or -1 is unlimited, 0 is blocked.
use serde::{Deserialize, Deserializer, Serialize};

/// Limits of an account or a client key. `None` is unlimited, `Some(0)` blocks.
///
/// On the wire an absent field and `-1` both mean unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Calls in flight at once.
    #[serde(default, deserialize_with = "limit", skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u64>,
    /// Admissions in any 60 seconds.
    #[serde(default, deserialize_with = "limit", skip_serializing_if = "Option::is_none")]
    pub rpm: Option<u64>,
    /// Admissions in a calendar day of `settings.timezone`.
    #[serde(default, deserialize_with = "limit", skip_serializing_if = "Option::is_none")]
    pub rpd: Option<u64>,
    /// Tokens used and reserved in any 60 seconds.
    #[serde(default, deserialize_with = "limit", skip_serializing_if = "Option::is_none")]
    pub tpm: Option<u64>,
    /// Milliseconds between two admissions.
    #[serde(default, deserialize_with = "limit", skip_serializing_if = "Option::is_none")]
    pub min_gap_ms: Option<u64>,
    /// Admissions until the count is reset by hand.
    #[serde(default, deserialize_with = "limit", skip_serializing_if = "Option::is_none")]
    pub max_uses: Option<u64>,
}

fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match Option::<i64>::deserialize(deserializer)? {
        None | Some(-1) => Ok(None),
        Some(value) => u64::try_from(value)
            .map(Some)
            .map_err(|_| serde::de::Error::custom("a limit is -1 (unlimited), 0 (blocked) or a positive integer")),
    }
}
