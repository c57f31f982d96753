//! The operator's logins: how many wrong passwords an address has, and which refusals are written down.
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// Wrong passwords in [`WINDOW_MS`] after which an address must wait.
const FAILURES: usize = 5;
const WINDOW_MS: u64 = 60_000;
/// Addresses remembered; one of them makes room for another.
const ADDRESSES: usize = 1_000;
/// Refusals in [`WINDOW_MS`] that are written down, of all addresses: who guesses from many must not cost a write each.
const NOTED: u64 = 10;

/// A login.
#[derive(Debug, Serialize, Deserialize)]
pub struct LoginAttempt {
    /// Where it came from.
    pub address: String,
    /// Whether the password was right.
    pub ok: bool,
}

/// What becomes of a login.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginVerdict {
    /// How many milliseconds the address must wait, where its password was not looked at.
    pub wait_ms: Option<u64>,
    /// Of a refusal that is to be written down: how many before it were not.
    pub unnoted: Option<u64>,
}

/// The logins of the last minute.
#[derive(Default)]
pub(super) struct Logins {
    addresses: HashMap<String, Address>,
    noted_since_ms: u64,
    noted: u64,
    /// Refusals since the one that was written down last.
    unnoted: u64,
}

#[derive(Default)]
struct Address {
    /// When it had a wrong password.
    failures: Vec<u64>,
    /// Whether it was told to wait since then.
    is_told: bool,
}

impl Logins {
    /// Counts a login.
    pub(super) fn judge(&mut self, now: u64, attempt: LoginAttempt) -> LoginVerdict {
        let attempt = LoginAttempt { address: network(attempt.address), ..attempt };
        let wait_ms = self.wait_ms(now, &attempt.address);
        if attempt.ok && wait_ms.is_none() {
            return LoginVerdict { wait_ms, unnoted: None };
        }
        // One who must wait is as throttled with the hundredth password as with the first: that is written down once.
        let is_news = match wait_ms {
            Some(_) => self.tell(&attempt.address),
            None => self.fail(now, attempt.address),
        };
        LoginVerdict { wait_ms, unnoted: self.note(now, is_news) }
    }

    fn wait_ms(&mut self, now: u64, address: &str) -> Option<u64> {
        self.addresses.retain(|_, known| {
            known.failures.retain(|at| now.saturating_sub(*at) < WINDOW_MS);
            !known.failures.is_empty()
        });
        let failures = &self.addresses.get(address).filter(|known| known.failures.len() >= FAILURES)?.failures;
        failures.first().map(|first| first.saturating_add(WINDOW_MS).saturating_sub(now))
    }

    /// Remembers a wrong password.
    fn fail(&mut self, now: u64, address: String) -> bool {
        if self.addresses.len() >= ADDRESSES
            && !self.addresses.contains_key(&address)
            && let Some(any) = self.addresses.keys().next().cloned()
        {
            self.addresses.remove(&any);
        }
        let known = self.addresses.entry(address).or_default();
        known.failures.push(now);
        known.is_told = false;
        true
    }

    /// Remembers that an address was told to wait; whether it was not before.
    fn tell(&mut self, address: &str) -> bool {
        self.addresses.get_mut(address).is_some_and(|known| !std::mem::replace(&mut known.is_told, true))
    }

    /// Of a refusal that is to be written down: how many before it were not.
    fn note(&mut self, now: u64, is_news: bool) -> Option<u64> {
        if now.saturating_sub(self.noted_since_ms) >= WINDOW_MS {
            (self.noted_since_ms, self.noted) = (now, 0);
        }
        if !is_news || self.noted >= NOTED {
            self.unnoted = self.unnoted.saturating_add(1);
            return None;
        }
        self.noted = self.noted.saturating_add(1);
        Some(std::mem::take(&mut self.unnoted))
    }
}

/// What one guesser has: an IPv4 address, or 64 bits of an IPv6 one, whose other 64 are free to choose.
fn network(address: String) -> String {
    match address.parse().map(|address: IpAddr| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => format!("{}/64", Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_262_400_000;

    fn try_at(logins: &mut Logins, now: u64, address: &str, ok: bool) -> LoginVerdict {
        logins.judge(now, LoginAttempt { address: address.to_owned(), ok })
    }

    #[test]
    fn five_failures_make_an_address_wait_until_the_first_is_a_minute_old() {
        let mut logins = Logins::default();
        for at in 0..FAILURES as u64 {
            assert_eq!(try_at(&mut logins, NOW + at * 1_000, "a", false).wait_ms, None);
        }
        assert_eq!(try_at(&mut logins, NOW + 10_000, "a", true).wait_ms, Some(50_000));
        assert_eq!(try_at(&mut logins, NOW + 10_000, "b", true).wait_ms, None, "another address");
        assert_eq!(try_at(&mut logins, NOW + WINDOW_MS, "a", false).wait_ms, None, "it is true");
        assert_eq!(try_at(&mut logins, NOW + WINDOW_MS, "a", true).wait_ms, Some(1_000));
    }

    #[test]
    fn an_ipv6_network_waits_as_one_address() {
        let mut logins = Logins::default();
        for host in 0..FAILURES {
            assert_eq!(try_at(&mut logins, NOW, &format!("2001:db8:0:1:{host}::9"), false).wait_ms, None);
        }
        assert_eq!(try_at(&mut logins, NOW, "2001:DB8::1:ffff:0:0:1", true).wait_ms, Some(WINDOW_MS));
        assert_eq!(try_at(&mut logins, NOW, "2001:db8:0:2::9", true).wait_ms, None, "another network");
        for _ in 0..FAILURES {
            assert_eq!(try_at(&mut logins, NOW, "::ffff:192.0.2.1", false).wait_ms, None);
        }
        assert_eq!(try_at(&mut logins, NOW, "192.0.2.1", true).wait_ms, Some(WINDOW_MS), "the same, written otherwise");
        assert_eq!(try_at(&mut logins, NOW, "192.0.2.2", true).wait_ms, None);
    }

    #[test]
    fn every_failure_is_written_down_and_the_first_of_the_waits() {
        let mut logins = Logins::default();
        for _ in 0..FAILURES {
            assert_eq!(try_at(&mut logins, NOW, "a", false).unnoted, Some(0));
        }
        assert_eq!(try_at(&mut logins, NOW, "a", false).unnoted, Some(0), "the first wait");
        for _ in 0..7 {
            assert_eq!(try_at(&mut logins, NOW, "a", true).unnoted, None, "no more of it");
        }
        assert_eq!(try_at(&mut logins, NOW, "b", true), LoginVerdict { wait_ms: None, unnoted: None }, "no refusal");
        assert_eq!(try_at(&mut logins, NOW, "c", false).unnoted, Some(7), "what was not written down is counted");
    }

    #[test]
    fn who_guesses_from_many_addresses_is_written_down_ten_times_a_minute() {
        let mut logins = Logins::default();
        let notes = |logins: &mut Logins, now: u64| {
            let verdicts = (0..2_000).map(|at| try_at(logins, now, &format!("a{at}"), false));
            verdicts.filter_map(|verdict| verdict.unnoted).collect::<Vec<_>>()
        };
        assert_eq!(notes(&mut logins, NOW), [0; NOTED as usize]);
        assert_eq!(logins.addresses.len(), ADDRESSES, "a bounded memory");
        let later = notes(&mut logins, NOW + WINDOW_MS);
        assert_eq!((later.len() as u64, later[0]), (NOTED, 2_000 - NOTED));
    }
}
