//! Every number that an operator may want to change, with its default.
use serde::{Deserialize, Serialize};

use crate::ledger::{self, Cooling};
use crate::stats::Stats;
use crate::upstream::deepseek_web::settings::DeepseekWeb;
use crate::upstream::volcengine_console::settings::VolcengineConsole;

/// `settings` of the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The IANA time zone whose days `rpd` counts. Default `UTC`.
    pub timezone: String,
    /// The waiting queue.
    pub queue: Queue,
    /// Accounts that one call may try. Default 3.
    pub max_attempts: u32,
    /// The largest request body. Default 32 MiB.
    pub max_body_bytes: u64,
    /// The longest plain answer of an upstream, and the longest text of one that is translated. Default 16 MiB: it is held
    /// up to four times over, and an isolate has 128.
    pub max_answer_bytes: u64,
    /// How long an upstream may be silent.
    pub deadlines: Deadlines,
    /// How long a stream's headers wait for its first event, so that a failure is still an HTTP status. Default 10 s.
    pub hold_headers_ms: u64,
    /// The longest silence in a stream before a keep-alive comment. Default 15 s.
    pub ping_ms: u64,
    /// When an account cools, and for how long.
    pub cooling: Cooling,
    /// How long a conversation prefers its account; 0 is never. Default 1800.
    pub sticky_s: u64,
    /// Durable Objects that the ledger is split into, 1 to 16; more than one past 1,000 calls a second. Default 1.
    pub ledger_shards: u32,
    /// The origin whose pages may call. Default `*`.
    pub cors_origin: String,
    /// Whether request and answer bodies may be logged. Default false.
    pub log_bodies: bool,
    /// Earlier versions of the document that are kept. Default 50.
    pub backups: u32,
    /// Where Vercel's API is, for the sync. Default `https://api.vercel.com`.
    pub vercel_url: String,
    /// What is remembered between a key's calls.
    pub memory: Memory,
    /// What is recorded of calls.
    pub stats: Stats,
    /// DeepSeek's web chat.
    pub deepseek_web: DeepseekWeb,
    /// Volcengine's console.
    pub volcengine_console: VolcengineConsole,
}

/// What is remembered between a key's calls, sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// Whether the thoughts of tool calls are put back where a client did not send them and the service wants them.
    /// Default true.
    pub reasoning: bool,
    /// How long thoughts are kept. Default 6 hours.
    pub reasoning_s: u64,
    /// How long a stored response can be asked for and continued. Default 1 day.
    pub responses_s: u64,
    /// The most that is kept for one key; the oldest goes first. Default 8 MiB.
    pub max_bytes: u64,
}

/// The waiting queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    /// Callers that may wait at once. Default 100.
    pub max_waiting: usize,
    /// The longest that a caller waits. Default 30 s.
    pub max_wait_ms: u64,
}

/// How long an upstream may be silent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deadlines {
    /// Until a stream's response headers. Default 60 s.
    pub connect_ms: u64,
    /// Until a stream's first event. Default 10 minutes: DeepSeek queues that long.
    pub first_token_ms: u64,
    /// Between two reads of a stream, and the longest that a caller takes nothing of it. Default 2 minutes.
    pub stall_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            timezone: "UTC".to_owned(),
            queue: Queue::default(),
            max_attempts: 3,
            max_body_bytes: 32 * 1024 * 1024,
            max_answer_bytes: 16 * 1024 * 1024,
            deadlines: Deadlines::default(),
            hold_headers_ms: 10_000,
            ping_ms: 15_000,
            cooling: Cooling::default(),
            sticky_s: 1_800,
            ledger_shards: 1,
            cors_origin: "*".to_owned(),
            log_bodies: false,
            backups: 50,
            vercel_url: "https://api.vercel.com".to_owned(),
            memory: Memory::default(),
            stats: Stats::default(),
            deepseek_web: DeepseekWeb::default(),
            volcengine_console: VolcengineConsole::default(),
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Memory { reasoning: true, reasoning_s: 21_600, responses_s: 86_400, max_bytes: 8 * 1024 * 1024 }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Queue { max_waiting: 100, max_wait_ms: 30_000 }
    }
}

impl Default for Deadlines {
    fn default() -> Self {
        Deadlines { connect_ms: 60_000, first_token_ms: 600_000, stall_ms: 120_000 }
    }
}

impl Settings {
    /// The part that the ledger goes by.
    pub fn for_ledger(&self) -> ledger::Settings {
        ledger::Settings {
            timezone: self.timezone.clone(),
            max_waiting: self.queue.max_waiting,
            max_wait_ms: self.queue.max_wait_ms,
            sticky_s: self.sticky_s,
            cooling: self.cooling.clone(),
            ..ledger::Settings::default()
        }
    }
}
