//! The Durable Object `Stats`: one for all, asked rarely.
use std::cell::RefCell;

use serde_json::{Map, Value, json};
use wasm_bindgen::prelude::*;
use worker::{Date, DurableObject, Env, Request, Response, Result, SqlStorage, State, console_error, durable_object};

use super::figures::{Figures, Sample, Span};
use super::plan::{self, Counts};
use super::settings::Stats;
use super::store::{self, DAY_MS, Grain, HOUR_MS, Log, SEQ_MAX, Stored};
use super::waiting::Counted;
use crate::json;

/// Calls that one answer holds at most.
const LIMIT_MAX: usize = 1_000;
const LIMIT: usize = 100;
/// Days that the paid plan's month has at most.
const MONTH_MS: u64 = 31 * DAY_MS;

/// The Rust side of the `Stats` class.
#[durable_object(fetch)]
pub struct StatsObject {
    state: State,
    /// The hour that is being counted; `None` before it is known.
    open: RefCell<Option<Stored>>,
}

impl DurableObject for StatsObject {
    fn new(state: State, _env: Env) -> Self {
        if let Err(error) = store::create(&state.storage().sql()) {
            console_error!("stats: {error}");
        }
        StatsObject { state, open: RefCell::default() }
    }

    async fn fetch(&self, _request: Request) -> Result<Response> {
        Response::error("not for requests", 404)
    }
}

#[wasm_bindgen]
impl StatsObject {
    /// Adds records, a line each; the first line has the counts and the settings.
    pub fn record(&self, batch: String) -> String {
        let (head, lines) = batch.split_once('\n').unwrap_or((&batch, ""));
        self.answer(head, |sql, head| {
            let settings: Stats = json::read_value(head.get("settings").unwrap_or(&Value::Null))?;
            let counts = plan::unpack(head.get("counts").unwrap_or(&Value::Null));
            let number = |name: &str| head.get(name).and_then(Value::as_u64).unwrap_or(0);
            let counted = Counted { strangers: number("strangers"), lost: number("lost") };
            self.add(sql, &settings, lines, counts, counted).map(|()| Value::Null)
        })
    }

    /// The figures of a window.
    pub fn stats(&self, argument: String) -> String {
        self.answer(&argument, |sql, question| {
            let days = question.get("days").and_then(Value::as_u64).unwrap_or(1);
            self.window(sql, Date::now().as_millis(), days)
        })
    }

    /// The latest calls.
    pub fn logs(&self, argument: String) -> String {
        self.answer(&argument, |sql, question| page(sql, Log::Calls, "logs", question))
    }

    /// The latest admin writes, and logins that were refused.
    pub fn audit(&self, argument: String) -> String {
        self.answer(&argument, |sql, question| page(sql, Log::Audit, "audit", question))
    }

    /// Adds an admin write, or a login that was refused.
    pub fn note(&self, argument: String) -> String {
        self.answer(&argument, |sql, note| {
            let max = note.get("max").and_then(Value::as_u64).unwrap_or(0);
            let refused = note.get("refused").and_then(Value::as_bool).unwrap_or(false);
            store::note(sql, refused, note.get("entry").unwrap_or(&Value::Null), max)?;
            Ok(Value::Null)
        })
    }

    /// What a key has used since a moment.
    pub fn used(&self, argument: String) -> String {
        self.answer(&argument, |sql, question| {
            let from_ms = question.get("from_ms").and_then(Value::as_u64).unwrap_or(0);
            let key = question.get("key").and_then(Value::as_str).unwrap_or_default();
            let mut figures = Figures::default();
            for hour in store::spans(sql, Grain::Hour, hour_of(from_ms), true)? {
                if let Some(of_key) = hour.span.of_key(key) {
                    figures.merge(of_key);
                }
            }
            Ok(figures.shown().into())
        })
    }

    /// What was used of the plan.
    pub fn plan(&self, argument: String) -> String {
        self.answer(&argument, |sql, _| {
            let today_ms = day_of(Date::now().as_millis());
            let sum =
                |spans: Vec<Stored>| spans.into_iter().fold(Counts::default(), |sum, span| plan::sum(sum, span.counts));
            let today = sum(store::spans(sql, Grain::Hour, today_ms, false)?);
            // The hours of today that are closed are part of its day already.
            let mut days = store::spans(sql, Grain::Day, (today_ms + DAY_MS).saturating_sub(MONTH_MS), false)?;
            days.retain(|day| day.start_ms != today_ms);
            Ok(plan::shown(today, plan::sum(today, sum(days))))
        })
    }
}

impl StatsObject {
    fn answer(&self, argument: &str, act: impl FnOnce(&SqlStorage, &Value) -> Result<Value>) -> String {
        let argument = json::parse(argument).unwrap_or_default();
        match act(&self.state.storage().sql(), &argument) {
            Ok(answer) => plan::carried(answer.to_string()),
            // A fault is no JSON: the caller logs it.
            Err(error) => {
                console_error!("stats: {error}");
                String::new()
            }
        }
    }

    fn add(&self, sql: &SqlStorage, settings: &Stats, lines: &str, counts: Counts, counted: Counted) -> Result<()> {
        let now = Date::now().as_millis();
        let sample_of = |line: &str| Sample::unpack(&json::parse(line.split('\t').next()?).ok()?);
        let samples = || lines.lines().filter_map(sample_of);
        // The log first: were it to fail, its calls come again, and none may be counted twice.
        let since_ms = now.saturating_sub(settings.log_days.saturating_mul(DAY_MS));
        let last_ms = samples().next_back().map(|last| last.time_ms);
        let (strangers, calls): (Vec<&str>, Vec<&str>) = lines.lines().partition(|line| line.starts_with('\t'));
        store::log(sql, false, &calls, last_ms.unwrap_or(now), settings.log_max, since_ms)?;
        store::log(sql, true, &strangers, now, settings.refused_max, since_ms)?;
        let mut open = self.open.borrow_mut();
        let mut hour = match open.take() {
            Some(hour) => hour,
            None => {
                let first_ms = samples().next().map_or(now, |first| first.time_ms);
                store::last_hour(sql)?.unwrap_or(Stored::empty(hour_of(first_ms)))
            }
        };
        for sample in samples() {
            self.turn(sql, settings, &mut hour, sample.time_ms.min(now))?;
            hour.span.add(&sample, settings.names_max);
        }
        if last_ms.is_none() {
            self.turn(sql, settings, &mut hour, now)?;
        }
        hour.counts = plan::sum(hour.counts, counts);
        hour.span.total.add_counted(counted);
        store::save(sql, Grain::Hour, &hour)?;
        *open = Some(hour);
        Ok(())
    }

    /// Closes the hour and opens that of `now`, where it is a later one. A late record counts in the open hour.
    fn turn(&self, sql: &SqlStorage, settings: &Stats, hour: &mut Stored, now: u64) -> Result<()> {
        let start_ms = hour_of(now);
        if start_ms <= hour.start_ms {
            return Ok(());
        }
        store::save(sql, Grain::Hour, hour)?;
        store::close(sql, hour, settings.names_max)?;
        *hour = Stored::empty(start_ms);
        store::forget(sql, Grain::Hour, start_ms.saturating_sub(settings.hours.saturating_mul(HOUR_MS)))?;
        store::forget(sql, Grain::Day, start_ms.saturating_sub(settings.days.saturating_mul(DAY_MS)))
    }

    /// The figures of today and the days before, or of the last 24 hours. Days are those of UTC.
    fn window(&self, sql: &SqlStorage, now: u64, days: u64) -> Result<Value> {
        let from_ms = match days {
            0 | 1 => hour_of(now).saturating_sub(23 * HOUR_MS),
            days => day_of(now).saturating_sub(days.saturating_sub(1).saturating_mul(DAY_MS)),
        };
        let grain = if days <= 1 { Grain::Hour } else { Grain::Day };
        let mut spans = store::spans(sql, grain, from_ms, true)?;
        if grain == Grain::Day {
            // The open hour is not part of its day yet.
            spans.extend(store::last_hour(sql)?.filter(|hour| hour.start_ms >= from_ms));
        }
        let mut all = Span::default();
        spans.iter().for_each(|part| all.merge(&part.span, usize::MAX));
        let (step_ms, parts) = match days {
            0 | 1 => (HOUR_MS, spans),
            2..=7 => (HOUR_MS, store::spans(sql, Grain::Hour, from_ms, false)?),
            _ => (DAY_MS, spans),
        };
        let mut points: Vec<(u64, Figures)> = Vec::new();
        for part in parts {
            let start_ms = part.start_ms - part.start_ms % step_ms;
            match points.last_mut().filter(|(time, _)| *time == start_ms) {
                Some((_, figures)) => figures.merge(&part.span.total),
                None => points.push((start_ms, part.span.total)),
            }
        }
        let point = |(time, figures): &(u64, Figures)| {
            let mut point = figures.shown();
            point.insert("time".to_owned(), (*time).into());
            Value::Object(point)
        };
        let mut shown = all.shown();
        let series: Vec<Value> = points.iter().map(point).collect();
        let extra = json!({"from": from_ms, "until": now, "step_ms": step_ms, "series": series});
        if let Value::Object(extra) = extra {
            shown.extend(extra);
        }
        Ok(shown.into())
    }
}

/// A page of a log: `limit`, `before`, and what the entries must be.
fn page(sql: &SqlStorage, log: Log, list: &str, question: &Value) -> Result<Value> {
    let text = |name: &str| question.get(name).and_then(Value::as_str);
    let number = |name: &str| question.get(name).and_then(Value::as_u64);
    let limit = number("limit").map_or(LIMIT, |limit| usize::try_from(limit).unwrap_or(LIMIT_MAX)).clamp(1, LIMIT_MAX);
    let before = number("before").unwrap_or(SEQ_MAX);
    let is = |entry: &Value, name: &str| {
        text(name).is_none_or(|wanted| entry.get(name).and_then(Value::as_str) == Some(wanted))
    };
    // What is too old goes with the next record; until then it is not told.
    let since_ms = number("since_ms").unwrap_or(0);
    let is_kept = |entry: &Value| entry.get("time").and_then(Value::as_u64).is_none_or(|time| time >= since_ms);
    let wanted =
        |entry: &Value| is_kept(entry) && is(entry, "key") && is(entry, "account") && has_status(entry, text("status"));
    let entries = store::entries(sql, log, before, limit, wanted)?;
    let next = entries.last().filter(|_| entries.len() >= limit).and_then(|entry| entry.get("seq")).cloned();
    let mut page = Map::new();
    page.insert(list.to_owned(), entries.into());
    page.insert("next".to_owned(), next.unwrap_or_default());
    Ok(page.into())
}

/// `ok`, `error`, a status, or its first digit as in `4xx`.
fn has_status(entry: &Value, wanted: Option<&str>) -> bool {
    let status = entry.get("status").and_then(Value::as_u64).unwrap_or(0);
    match wanted {
        None => true,
        Some("ok") => status < 400,
        Some("error") => status >= 400,
        Some(wanted) => match wanted.strip_suffix("xx") {
            Some(digit) => digit.parse() == Ok(status / 100),
            None => wanted.parse() == Ok(status),
        },
    }
}

fn hour_of(now: u64) -> u64 {
    now - now % HOUR_MS
}

fn day_of(now: u64) -> u64 {
    now - now % DAY_MS
}
