//! The ledger against a model of plain lists, scanned for every question, in random lives; and its rules, one by one.
mod lives;
mod model;
mod rules;
mod store;

use std::collections::BTreeMap;

use super::*;
use crate::chat::{Outcome, Usage as Tokens};
use crate::config::Limits;
use protocol::{AdmitRequest, Grant, Reason};

/// Days of UTC.
struct Utc;

impl Calendar for Utc {
    fn day(&self, _zone: &str, now: Millis) -> Day {
        Day::utc(now)
    }
}

/// A minute before a midnight, so that lives cross it.
const START: Millis = 1_795_305_540_000;
