//! What one call leaves behind.
use serde_json::Value;

use super::figures::Sample;
use super::line::Line;
use crate::chat::{ChatError, Envelope, ErrorKind, Outcome, Usage};
use crate::dialect::{Dialect, openai};
use crate::ledger::Candidates;

/// The most of a text that the caller or an upstream wrote, in bytes.
const TEXT_MAX: usize = 300;

/// One call, from its request to its end. Holds no secret, and no body unless the settings say so.
#[derive(Debug, Default)]
pub struct Record {
    /// The request's id.
    pub id: String,
    /// When the request came, in Unix milliseconds.
    pub begun_ms: u64,
    /// The client key's id; empty for a caller with a credential of its own.
    pub key: String,
    /// The key's name.
    pub key_name: String,
    /// Nobody whom the configuration knows asked, and no upstream was.
    pub stranger: bool,
    /// Where a stranger's request came from.
    pub address: Option<String>,
    /// The API that the caller speaks.
    pub dialect: &'static str,
    /// What was asked for.
    pub endpoint: &'static str,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The model that was asked for.
    pub model: String,
    /// The model that was asked last, as its upstream knows it.
    pub served_model: String,
    /// When the caller had the last byte, or the failure; 0 where it had neither.
    pub ended_ms: u64,
    /// When a stream's first event came.
    pub first_ms: Option<u64>,
    /// What the upstream counted.
    pub usage: Option<Usage>,
    /// How it ended, if not well.
    pub error: Option<ChatError>,
    /// Whether the caller left.
    pub left: bool,
    /// The accounts that one was chosen from, as far as they are told.
    pub candidates: Candidates,
    /// The accounts that were tried.
    pub tries: Vec<Try>,
    /// The beginning of the request's body, where bodies are logged.
    pub request: Option<String>,
    /// The beginning of the answer's.
    pub answer: Option<String>,
}

/// One try on one account.
#[derive(Debug, Default)]
pub struct Try {
    /// The account's id.
    pub account: String,
    /// Its upstream.
    pub upstream: String,
    /// Milliseconds in the queue before it.
    pub waited_ms: u64,
    /// When it began, in Unix milliseconds.
    pub begun_ms: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// How it ended.
    pub outcome: &'static str,
    /// Why it failed.
    pub cause: Option<String>,
}

impl Record {
    /// Of a request that came, from whom is not known yet.
    pub fn of(id: &str, begun_ms: u64, dialect: Dialect, endpoint: &'static str) -> Record {
        let dialect = match dialect {
            Dialect::Openai => "openai",
            Dialect::Responses => "responses",
            Dialect::Anthropic => "anthropic",
        };
        Record { id: id.to_owned(), begun_ms, stranger: true, dialect, endpoint, ..Record::default() }
    }

    /// Notes what is asked for.
    pub fn ask(&mut self, envelope: &Envelope) {
        self.stream = envelope.stream;
        self.model = cut(&envelope.model).to_owned();
    }

    /// Notes that a try begins. Who has an upstream asked is no stranger to it.
    pub fn begin(&mut self, attempt: Try) {
        self.stranger = false;
        self.tries.push(attempt);
    }

    /// Notes what the caller is told instead of an answer.
    pub fn fail(&mut self, now_ms: u64, error: &ChatError) {
        self.ended_ms = now_ms;
        self.error = Some(error.clone());
    }

    /// Notes how the try ended that was begun last.
    pub fn tried(&mut self, now_ms: u64, outcome: &Outcome) {
        let Some(last) = self.tries.last_mut() else { return };
        self.ended_ms = now_ms;
        last.took_ms = now_ms.saturating_sub(last.begun_ms);
        (last.outcome, last.cause) = match outcome {
            Outcome::Success { .. } => ("success", None),
            Outcome::CallerError => ("caller_error", None),
            Outcome::Cancelled { .. } => ("cancelled", None),
            Outcome::Unused => ("unused", None),
            Outcome::RateLimited { .. } => ("rate_limited", None),
            Outcome::Failure { cause } => ("failure", Some(cause.clone())),
            Outcome::InvalidCredential { cause } => ("invalid_credential", Some(cause.clone())),
            Outcome::NeedsLogin { cause } => ("needs_login", Some(cause.clone())),
            Outcome::Parked { cause, .. } => ("parked", Some(cause.clone())),
        };
        if let Outcome::Success { usage } | Outcome::Cancelled { usage } = outcome {
            self.usage = *usage;
        }
        self.left |= matches!(outcome, Outcome::Cancelled { .. });
    }

    /// What the figures count, which is nothing of a stranger, a tab, and what the log keeps: JSON on one line. JSON has no
    /// tab but between its tokens.
    pub fn line(&self, now_ms: u64) -> String {
        let now_ms = if self.ended_ms > 0 { self.ended_ms } else { now_ms };
        if self.stranger {
            return format!("\t{}", self.entry(now_ms));
        }
        let account = self.tries.last().map(|last| last.account.clone()).unwrap_or_default();
        let since = |at: u64| at.saturating_sub(self.begun_ms);
        // Whoever has a key could fill the figures with names of nothing.
        let is_unknown = self.error.as_ref().is_some_and(|error| error.kind == ErrorKind::ModelNotFound);
        let model = if is_unknown { String::new() } else { self.model.clone() };
        let sample = Sample {
            names: [model, account, self.key.clone()],
            time_ms: now_ms,
            status: u64::from(self.status()),
            total_ms: since(now_ms),
            first_ms: self.first_ms.map(since),
            usage: self.usage.unwrap_or_default(),
        };
        format!("{}\t{}", sample.pack(), self.entry(now_ms))
    }

    fn status(&self) -> u16 {
        match &self.error {
            _ if self.left => 499,
            Some(error) => error.status(),
            None => 200,
        }
    }

    fn entry(&self, now_ms: u64) -> String {
        let since = |at: u64| at.saturating_sub(self.begun_ms);
        let error = self.error.as_ref().filter(|_| !self.left);
        let last = self.tries.last();
        let mut line = Line::new();
        line.text("id", Some(&self.id));
        line.number("time", Some(now_ms));
        line.text("key", Some(&self.key));
        line.text("key_name", Some(&self.key_name));
        if self.stranger {
            line.flag("stranger", true);
            line.text("address", self.address.as_deref().map(cut));
        }
        line.text("dialect", Some(self.dialect));
        line.text("endpoint", Some(self.endpoint));
        line.flag("stream", self.stream);
        line.text("model", Some(&self.model));
        line.text("served_model", Some(&self.served_model));
        line.text("account", last.map(|last| last.account.as_str()));
        line.text("upstream", last.map(|last| last.upstream.as_str()));
        line.number("attempts", Some(self.tries.len() as u64));
        line.number("wait_ms", Some(self.tries.iter().map(|tried| tried.waited_ms).sum()));
        line.number("ttft_ms", self.first_ms.map(since));
        line.number("total_ms", Some(since(now_ms)));
        line.number("status", Some(u64::from(self.status())));
        if let Some(usage) = &self.usage {
            line.open("tokens", '{');
            line.number("prompt", Some(usage.prompt));
            line.number("completion", Some(usage.completion));
            line.number("reasoning", Some(usage.reasoning));
            line.number("cached", Some(usage.cached));
            line.close('}');
        }
        if let Some(error) = error {
            let body = openai::error::body(error);
            line.open("error", '{');
            line.text("code", body.pointer("/error/code").and_then(Value::as_str));
            line.text("message", Some(cut(&error.message)));
            line.close('}');
        }
        line.open("receipt", '{');
        line.open("candidates", '[');
        for account in &self.candidates.told {
            line.item();
            line.text("account", Some(&account.id));
            line.text("code", account.code.as_deref());
            line.text("reason", account.reason.as_deref().map(cut));
            line.number("until_ms", account.until_ms);
            line.close('}');
        }
        line.close(']');
        let more = self.candidates.count.saturating_sub(self.candidates.told.len());
        line.number("more_candidates", Some(more as u64));
        line.open("tries", '[');
        for tried in &self.tries {
            line.item();
            line.text("account", Some(&tried.account));
            line.text("upstream", Some(&tried.upstream));
            line.number("wait_ms", Some(tried.waited_ms));
            line.number("ms", Some(tried.took_ms));
            line.text("outcome", Some(tried.outcome));
            line.text("cause", tried.cause.as_deref().map(cut));
            line.close('}');
        }
        line.close(']');
        line.close('}');
        for (name, body) in [("request", &self.request), ("answer", &self.answer)] {
            if body.is_some() {
                line.text(name, body.as_deref());
            }
        }
        line.end()
    }
}

/// The beginning of a text.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_MAX)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(record: &Record, now_ms: u64) -> Value {
        let line = record.line(now_ms);
        let (sample, entry) = line.split_once('\t').unwrap();
        let sample = Sample::unpack(&serde_json::from_str(sample).unwrap()).unwrap();
        let entry: Value = serde_json::from_str(entry).unwrap();
        assert_eq!((entry["status"].as_u64(), entry["time"].as_u64()), (Some(sample.status), Some(sample.time_ms)));
        assert_eq!(entry["account"].as_str().unwrap_or_default(), sample.names[1]);
        entry
    }

    fn record() -> Record {
        let tried = |account: &str| Try { account: account.into(), begun_ms: 1_000, waited_ms: 5, ..Try::default() };
        let mut record = Record { id: "req_1".into(), begun_ms: 900, ..Record::default() };
        record.tries.push(tried("a"));
        record.tried(1_100, &Outcome::Failure { cause: "503".into() });
        record.tries.push(tried("b"));
        record
    }

    #[test]
    fn tells_every_try_and_its_cause() {
        let mut record = record();
        record.first_ms = Some(1_200);
        let usage = Usage { prompt: 1, completion: 2, ..Usage::default() };
        record.tried(1_300, &Outcome::Success { usage: Some(usage) });
        let json = read(&record, 1_310);
        assert_eq!((&json["account"], &json["attempts"], &json["wait_ms"]), (&json!("b"), &json!(2), &json!(10)));
        assert_eq!((&json["ttft_ms"], &json["total_ms"], &json["status"]), (&json!(300), &json!(400), &json!(200)));
        assert_eq!(json["tokens"]["completion"], 2);
        let tries = json["receipt"]["tries"].as_array().unwrap();
        assert_eq!(
            (&tries[0]["outcome"], &tries[0]["cause"], &tries[0]["ms"]),
            (&json!("failure"), &json!("503"), &json!(100))
        );
        assert_eq!((&tries[1]["outcome"], &tries[1]["cause"]), (&json!("success"), &Value::Null));
        assert!(json.get("request").is_none());
    }

    #[test]
    fn a_model_that_does_not_exist_is_named_in_the_log_alone() {
        for (kind, name) in [(ErrorKind::ModelNotFound, ""), (ErrorKind::ModelNotAllowed, "m")] {
            let mut record = Record { model: "m".into(), ..Record::default() };
            record.fail(2_000, &ChatError::new(kind, "no"));
            let line = record.line(2_000);
            let (sample, entry) = line.split_once('\t').unwrap();
            assert_eq!(Sample::unpack(&serde_json::from_str(sample).unwrap()).unwrap().names[0], name);
            assert_eq!(serde_json::from_str::<Value>(entry).unwrap()["model"], "m");
        }
    }

    #[test]
    fn tells_how_it_failed_and_who_left() {
        let mut failed = record();
        failed.error = Some(ChatError::new(ErrorKind::QueueFull, "busy"));
        let json = read(&failed, 2_000);
        assert_eq!((&json["status"], &json["error"]), (&json!(429), &json!({"code": "queue_full", "message": "busy"})));
        let mut left = record();
        left.tried(1_300, &Outcome::Cancelled { usage: None });
        assert_eq!((&read(&left, 2_000)["status"], read(&left, 2_000).get("error")), (&json!(499), None));
    }
}
