//! Secrets at rest: client keys as keyed hashes, account secrets sealed with AES-256-GCM, both under `MASTER_KEY`.
use std::collections::BTreeMap;
use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::chat::{ChatError, ErrorKind};
use crate::json;

/// The shortest `MASTER_KEY`, in characters.
const MASTER_KEY_MIN: usize = 32;
/// Marks the format, so that a later one can be told apart.
const PREFIX: &str = "v1.";
const NONCE_BYTES: usize = 12;

/// The secrets of one account by field name. Prints nothing of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(pub BTreeMap<String, String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secrets(***)")
    }
}

impl Secrets {
    /// What goes into `Authorization: Bearer`, for an account of an OpenAI-format upstream.
    pub fn api_key(&self) -> Option<&str> {
        self.get("api_key")
    }

    /// One secret.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// The keys derived from `MASTER_KEY`, one per purpose.
pub struct Vault {
    cipher: Aes256Gcm,
    /// Keyed already: each call hashes a key.
    key_hash: Hmac<Sha256>,
    session: Hmac<Sha256>,
}

impl Vault {
    /// Derives the keys.
    ///
    /// # Errors
    /// `NotConfigured` where `master_key` is too short.
    pub fn new(master_key: &str) -> Result<Vault, ChatError> {
        if master_key.chars().count() < MASTER_KEY_MIN {
            let message = format!(
                "MASTER_KEY is missing or shorter than {MASTER_KEY_MIN} characters. \
                 Set it with `npx wrangler secret put MASTER_KEY`."
            );
            return Err(ChatError::new(ErrorKind::NotConfigured, message));
        }
        let derive = |purpose: &str| {
            let mut key = [0; 32];
            // 32 bytes is a length that HKDF-SHA256 always has.
            let _ = Hkdf::<Sha256>::new(None, master_key.as_bytes()).expand(purpose.as_bytes(), &mut key);
            key
        };
        // A key of any length will do.
        let keyed = |purpose: &str| <Hmac<Sha256> as Mac>::new_from_slice(&derive(purpose)).map_err(|_| unsealed());
        Ok(Vault {
            cipher: Aes256Gcm::new(&derive("weir account secrets").into()),
            key_hash: keyed("weir client keys")?,
            session: keyed("weir admin sessions")?,
        })
    }

    /// The keyed hash of a client key, in hex.
    pub fn hash_key(&self, key: &str) -> String {
        hex::encode(mac(&self.key_hash, &[key.as_bytes()]))
    }

    /// Signs an admin session. The password takes part, so that changing it ends all sessions.
    pub fn sign_session(&self, password: &str, text: &str) -> [u8; 32] {
        mac(&self.session, &[&mac(&self.session, &[password.as_bytes()]), text.as_bytes()])
    }

    /// Seals the secrets of `account`.
    ///
    /// # Errors
    /// `Internal` without randomness.
    pub fn seal(&self, account: &str, secrets: &Secrets) -> Result<String, ChatError> {
        let text = serde_json::to_string(&secrets.0).map_err(|_| unsealed())?;
        self.seal_text(account, &text)
    }

    /// Opens what [`Vault::seal`] made for the same account.
    ///
    /// # Errors
    /// `Internal` for anything else.
    pub fn open(&self, account: &str, sealed: &str) -> Result<Secrets, ChatError> {
        let secrets = self.open_text(account, sealed).and_then(|text| json::read(&text).ok());
        secrets.map(Secrets).ok_or_else(|| {
            let message = "The account's secrets cannot be read: was MASTER_KEY changed?";
            ChatError::new(ErrorKind::Internal, message)
        })
    }

    /// Seals a text for `owner`.
    ///
    /// # Errors
    /// `Internal` without randomness.
    pub fn seal_text(&self, owner: &str, text: &str) -> Result<String, ChatError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| unsealed())?;
        let payload = Payload { msg: text.as_bytes(), aad: owner.as_bytes() };
        let sealed = self.cipher.encrypt(Nonce::from_slice(&nonce), payload).map_err(|_| unsealed())?;
        Ok(format!("{PREFIX}{}", BASE64.encode([nonce.as_slice(), &sealed].concat())))
    }

    /// Opens what [`Vault::seal_text`] made for the same owner; `None` for anything else.
    pub fn open_text(&self, owner: &str, sealed: &str) -> Option<String> {
        let bytes = BASE64.decode(sealed.strip_prefix(PREFIX)?).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES)?;
        let payload = Payload { msg: sealed, aad: owner.as_bytes() };
        String::from_utf8(self.cipher.decrypt(Nonce::from_slice(nonce), payload).ok()?).ok()
    }
}

fn unsealed() -> ChatError {
    ChatError::new(ErrorKind::Internal, "A secret could not be sealed.")
}

fn mac(keyed: &Hmac<Sha256>, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = keyed.clone();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASTER: &str = "0123456789abcdef0123456789abcdef";

    fn secrets() -> Secrets {
        Secrets(BTreeMap::from([("api_key".into(), "sk-1".into())]))
    }

    #[test]
    fn opens_what_it_sealed_and_nothing_else() {
        let vault = Vault::new(MASTER).unwrap();
        let sealed = vault.seal("a", &secrets()).unwrap();
        assert_eq!(vault.open("a", &sealed).unwrap(), secrets());
        assert_ne!(sealed, vault.seal("a", &secrets()).unwrap(), "a nonce is used once");
        assert!(!sealed.contains("sk-1"));
        assert!(vault.open("b", &sealed).is_err(), "another account's");
        let other = Vault::new("another master key of enough length").unwrap();
        assert!(other.open("a", &sealed).is_err());
        for index in 0..sealed.len() {
            let mut tampered = sealed.clone().into_bytes();
            tampered[index] = if tampered[index] == b'A' { b'B' } else { b'A' };
            assert!(vault.open("a", &String::from_utf8(tampered).unwrap()).is_err(), "byte {index}");
        }
        for nonsense in ["", "v1.", "v1.AAAA", "v2.x"] {
            assert!(vault.open("a", nonsense).is_err());
        }
    }

    #[test]
    fn hashes_keys_under_the_master_key() {
        let (one, two) = (Vault::new(MASTER).unwrap(), Vault::new("another master key of enough length").unwrap());
        assert_eq!(one.hash_key("k").len(), 64);
        assert_eq!(one.hash_key("k"), one.hash_key("k"));
        assert_ne!(one.hash_key("k"), one.hash_key("l"));
        assert_ne!(one.hash_key("k"), two.hash_key("k"));
    }

    #[test]
    fn a_short_master_key_is_refused() {
        assert_eq!(Vault::new("short").err().unwrap().kind, ErrorKind::NotConfigured);
    }

    #[test]
    fn prints_no_secret() {
        assert_eq!(format!("{:?}", secrets()), "Secrets(***)");
    }
}
