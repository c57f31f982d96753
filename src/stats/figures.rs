//! What many calls come to: counts, tokens and times, in all and by model, account and key.
use serde_json::{Map, Value, json};

use super::histogram::Histogram;
use super::waiting::Counted;
use crate::chat::Usage;

/// By what figures are told apart: the lists of an answer.
pub(super) const SIDES: [&str; 3] = ["models", "accounts", "keys"];
/// What stands for the names past `names_max`.
pub(super) const OTHERS: &str = "(others)";
/// The status of a call whose caller left.
pub(super) const LEFT: u64 = 499;

/// What the figures count of one call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// Its names in each of [`SIDES`]; empty where it has none.
    pub(super) names: [String; SIDES.len()],
    /// When it ended, in Unix milliseconds.
    pub(super) time_ms: u64,
    /// How it ended.
    pub(super) status: u64,
    /// How long it took.
    pub(super) total_ms: u64,
    /// How long its stream's first event took.
    pub(super) first_ms: Option<u64>,
    /// What it used.
    pub(super) usage: Usage,
}

impl Sample {
    /// As a JSON array, in the order in which [`Self::unpack`] reads it.
    pub(super) fn pack(&self) -> Value {
        let Usage { prompt, completion, reasoning, cached } = self.usage;
        let numbers = [self.time_ms, self.status, self.total_ms, prompt, completion, reasoning, cached];
        let names = self.names.iter().map(|name| Value::from(name.as_str()));
        names.chain(numbers.map(Value::from)).chain([self.first_ms.into()]).collect()
    }

    /// Reads what [`Self::pack`] wrote.
    pub(super) fn unpack(packed: &Value) -> Option<Sample> {
        let name = |at: usize| packed.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |at: usize| packed.get(at).and_then(Value::as_u64);
        let count = |at: usize| number(at).unwrap_or(0);
        Some(Sample {
            names: [name(0), name(1), name(2)],
            time_ms: number(3)?,
            status: number(4)?,
            total_ms: count(5),
            usage: Usage { prompt: count(6), completion: count(7), reasoning: count(8), cached: count(9) },
            first_ms: number(10),
        })
    }
}

/// The figures of some calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    requests: u64,
    failed: u64,
    /// Their callers left.
    left: u64,
    usage: Usage,
    /// From the request to the last byte, of the calls that succeeded.
    latency: Histogram,
    /// From the request to a stream's first event.
    first: Histogram,
    /// What was counted beside the calls.
    counted: Counted,
}

impl Figures {
    /// Adds a call.
    pub(super) fn add(&mut self, call: &Sample) {
        self.requests = self.requests.saturating_add(1);
        self.left = self.left.saturating_add(u64::from(call.status == LEFT));
        self.failed = self.failed.saturating_add(u64::from(call.status >= 400 && call.status != LEFT));
        self.add_usage(call.usage);
        if call.status < 400 {
            self.latency.add(call.total_ms);
        }
        if let Some(ms) = call.first_ms {
            self.first.add(ms);
        }
    }

    /// Adds what was counted beside the calls.
    pub(super) fn add_counted(&mut self, counted: Counted) {
        self.counted.add(counted);
    }

    /// Adds all of others.
    pub(super) fn merge(&mut self, other: &Figures) {
        self.add_counted(other.counted);
        self.requests = self.requests.saturating_add(other.requests);
        self.failed = self.failed.saturating_add(other.failed);
        self.left = self.left.saturating_add(other.left);
        self.add_usage(other.usage);
        self.latency.merge(&other.latency);
        self.first.merge(&other.first);
    }

    fn add_usage(&mut self, usage: Usage) {
        let sum = |mine: &mut u64, theirs: u64| *mine = mine.saturating_add(theirs);
        sum(&mut self.usage.prompt, usage.prompt);
        sum(&mut self.usage.completion, usage.completion);
        sum(&mut self.usage.reasoning, usage.reasoning);
        sum(&mut self.usage.cached, usage.cached);
    }

    /// As people read them. Who left says nothing of success.
    pub(super) fn shown(&self) -> Map<String, Value> {
        let ended = self.requests.saturating_sub(self.left);
        let succeeded = ended.saturating_sub(self.failed);
        let rate = (ended > 0).then(|| succeeded as f64 / ended as f64);
        let times = |times: &Histogram| json!({"count": times.count(), "mean": times.mean(), "p50": times.percentile(50), "p95": times.percentile(95)});
        let mut shown = Map::new();
        let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
        put("requests", self.requests.into());
        put("succeeded", succeeded.into());
        put("failed", self.failed.into());
        put("cancelled", self.left.into());
        put("success_rate", rate.into());
        put("latency_ms", times(&self.latency));
        put("ttft_ms", times(&self.first));
        put("tokens", json!(self.usage));
        shown
    }

    /// As numbers, in the order in which [`Self::unpack`] reads them.
    pub(super) fn pack(&self) -> Value {
        let Usage { prompt, completion, reasoning, cached } = self.usage;
        let mut numbers = vec![self.requests, self.failed, self.left, prompt, completion, reasoning, cached];
        self.latency.write(&mut numbers);
        self.first.write(&mut numbers);
        numbers.extend([self.counted.strangers, self.counted.lost]);
        numbers.into()
    }

    /// Reads what [`Self::pack`] wrote.
    pub(super) fn unpack(packed: &Value) -> Figures {
        let mut numbers = packed.as_array().into_iter().flatten().filter_map(Value::as_u64);
        let mut next = || numbers.next().unwrap_or(0);
        let (requests, failed, left) = (next(), next(), next());
        let usage = Usage { prompt: next(), completion: next(), reasoning: next(), cached: next() };
        let latency = Histogram::read(&mut numbers);
        let first = Histogram::read(&mut numbers);
        let mut next = || numbers.next().unwrap_or(0);
        let counted = Counted { strangers: next(), lost: next() };
        Figures { requests, failed, left, usage, latency, first, counted }
    }
}

/// The figures of a span of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// Of all its calls.
    pub(super) total: Figures,
    /// By the names of each of [`SIDES`].
    names: [Vec<(String, Figures)>; SIDES.len()],
}

impl Span {
    /// Adds a call.
    pub(super) fn add(&mut self, call: &Sample, names_max: usize) {
        self.total.add(call);
        for (name, names) in call.names.iter().zip(&mut self.names) {
            if !name.is_empty() {
                named(names, name, names_max).add(call);
            }
        }
    }

    /// Adds all of another span.
    pub(super) fn merge(&mut self, other: &Span, names_max: usize) {
        self.total.merge(&other.total);
        for (mine, theirs) in self.names.iter_mut().zip(&other.names) {
            for (name, figures) in theirs {
                named(mine, name, names_max).merge(figures);
            }
        }
    }

    /// The figures of one key.
    pub(super) fn of_key(&self, id: &str) -> Option<&Figures> {
        let [.., keys] = &self.names;
        keys.iter().find(|(name, _)| name == id).map(|(_, figures)| figures)
    }

    /// What [`Self::unpack`] reads, but for the total.
    pub(super) fn pack_names(&self) -> Value {
        let pack = |(name, figures): &(String, Figures)| (name.clone(), figures.pack());
        self.names.iter().map(|names| names.iter().map(pack).collect::<Map<_, _>>()).map(Value::Object).collect()
    }

    /// Reads a total and the names that [`Self::pack_names`] wrote.
    pub(super) fn unpack(total: &Value, names: &Value) -> Span {
        let mut span = Span { total: Figures::unpack(total), ..Span::default() };
        let sides = names.as_array().into_iter().flatten().filter_map(Value::as_object);
        for (mine, side) in span.names.iter_mut().zip(sides) {
            mine.extend(side.iter().map(|(name, packed)| (name.clone(), Figures::unpack(packed))));
        }
        span
    }

    /// As people read it: the busiest names first.
    pub(super) fn shown(mut self) -> Map<String, Value> {
        let mut shown = self.total.shown();
        shown.insert("strangers".to_owned(), self.total.counted.strangers.into());
        shown.insert("lost".to_owned(), self.total.counted.lost.into());
        for (list, names) in SIDES.iter().zip(&mut self.names) {
            names.sort_by_key(|(_, figures)| std::cmp::Reverse(figures.requests));
            let item = |(name, figures): &(String, Figures)| {
                let mut item = figures.shown();
                item.insert("name".to_owned(), name.as_str().into());
                Value::Object(item)
            };
            shown.insert((*list).to_owned(), names.iter().map(item).collect());
        }
        shown
    }
}

fn named<'a>(names: &'a mut Vec<(String, Figures)>, name: &str, names_max: usize) -> &'a mut Figures {
    let find = |names: &[(String, Figures)], name: &str| names.iter().position(|(known, _)| known == name);
    let known = find(names, name);
    let name = if known.is_some() || names.len() < names_max { name } else { OTHERS };
    let at = known.or_else(|| find(names, name)).unwrap_or(names.len());
    if at == names.len() {
        names.push((name.to_owned(), Figures::default()));
    }
    let last = names.len() - 1;
    // `at` is below the length by now.
    #[expect(clippy::indexing_slicing)]
    &mut names[at.min(last)].1
}

#[cfg(test)]
#[path = "figures_tests.rs"]
mod tests;
