//! One try of one call on one account: from the request to the last byte, with its deadlines.
use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, select};
use web_sys::AbortSignal;
use worker::{Date, Delay};

use super::answer::{Answer, Receipt};
use super::passage::{FastPath, Passage};
use super::remember::{Memory, Thoughts};
use super::translation::Translation;
use crate::chat::Usage;
use crate::config::Settings;
use crate::dialect::Reply;
use crate::stats::{Capture, Record};
use crate::stream::pipe::{Departure, End, Feed, Sink, Source, Watch, pump};
use crate::upstream::decode::Phase;
use crate::upstream::failure::{self, Failure};
use crate::upstream::service::{Opened, Service};

/// How a try ended.
pub(super) enum Ended {
    /// The caller has the whole answer.
    Answered(Option<Usage>),
    /// The caller left.
    Left(Option<Usage>),
    /// It failed before the first byte of an answer: another account may try.
    Failed(Failure),
    /// It failed after the first byte: the caller was told in the stream.
    Broken(Failure),
}

/// What a try needs besides its service.
pub(super) struct Try<'a> {
    pub(super) reply: &'a Reply,
    pub(super) memory: &'a Memory,
    /// Whether the thoughts behind tool calls are remembered.
    pub(super) remembers: bool,
    pub(super) settings: &'a Settings,
    pub(super) departure: &'a Departure,
    pub(super) receipt: Receipt,
    pub(super) record: &'a RefCell<Record>,
    pub(super) capture: &'a Capture,
    /// The longest a plain answer may take.
    pub(super) timeout_ms: u64,
    /// Called now and then while the try lasts, so that its lease does.
    pub(super) renew: Rc<dyn Fn()>,
    /// Milliseconds between two calls of `renew`.
    pub(super) renew_ms: u64,
}

/// What the upstream has sent when a try's first phase ends.
enum First {
    /// A plain answer.
    Whole {
        body: Vec<u8>,
        usage: Option<Usage>,
        /// What was thought before tools were called.
        thoughts: Thoughts,
        /// Where it came from, if more may come, and whether its service goes on writing it.
        rest: Option<(Source, bool)>,
    },
    /// A stream has begun: what to write first, and where the rest comes from.
    Begun(Source, Box<dyn Passage>, Vec<u8>),
}

impl Try<'_> {
    /// Makes the try.
    pub(super) async fn run(&self, service: &Service<'_>, answer: &mut Answer) -> Ended {
        let abort = self.departure.controller();
        let signal = abort.signal();
        let headers_seen = Cell::new(false);
        let first = self.first_bytes(service, &signal, &headers_seen);
        match self.wait(first, &headers_seen, answer).await {
            Ok(First::Whole { body, usage, thoughts, rest }) => {
                self.keep(thoughts).await;
                self.capture.hear(&body);
                answer.give(body, self.receipt.clone());
                if let Some((source, is_cut)) = rest {
                    service.leave(&source, is_cut).await;
                }
                Ended::Answered(usage)
            }
            Ok(First::Begun(source, passage, lead)) => {
                self.record.borrow_mut().first_ms = Some(Date::now().as_millis());
                self.capture.hear(&lead);
                let ended = self.relay(service, &signal, source, passage, lead, answer).await;
                if matches!(ended, Ended::Left(_)) {
                    abort.abort();
                }
                ended
            }
            Err(failure) => {
                let was_gone = self.departure.is_gone();
                abort.abort();
                if was_gone { Ended::Left(None) } else { Ended::Failed(failure) }
            }
        }
    }

    /// Waits for `first` within the deadlines. A stream's headers go out after a while, then comments keep it alive.
    async fn wait(
        &self,
        first: impl Future<Output = Result<First, Failure>>,
        headers_seen: &Cell<bool>,
        answer: &mut Answer,
    ) -> Result<First, Failure> {
        let mut first = pin!(first);
        let (settings, streams) = (self.settings, self.reply.stream);
        let begun = Date::now().as_millis();
        let mut next_renewal = self.renew_ms;
        let mut next_write = if answer.is_streaming() { settings.ping_ms } else { settings.hold_headers_ms };
        loop {
            let connect = if streams && !headers_seen.get() { settings.deadlines.connect_ms } else { u64::MAX };
            let whole = if streams { settings.deadlines.first_token_ms } else { self.timeout_ms };
            let write = if streams { next_write } else { u64::MAX };
            let passed = Date::now().as_millis().saturating_sub(begun);
            let next = connect.min(whole).min(write).min(next_renewal).saturating_sub(passed);
            first = match select(first, Delay::from(Duration::from_millis(next))).await {
                Either::Left((result, _)) => return result,
                Either::Right((_, first)) => first,
            };
            let passed = Date::now().as_millis().saturating_sub(begun);
            if passed >= whole {
                return Err(failure::of_deadline(if streams { "no first token" } else { "no answer" }));
            }
            if streams && !headers_seen.get() && passed >= connect {
                return Err(failure::of_deadline("no response headers"));
            }
            if passed >= next_renewal {
                (self.renew)();
                next_renewal = passed.saturating_add(self.renew_ms);
            }
            if streams && passed >= next_write {
                next_write = passed.saturating_add(settings.ping_ms);
                if answer.stream(self.receipt.clone()).write(&self.reply.ping()).await.is_err() {
                    self.departure.leave();
                    return Err(failure::of_network());
                }
            }
        }
    }

    /// Moves the rest of a stream.
    async fn relay(
        &self,
        service: &Service<'_>,
        signal: &AbortSignal,
        mut source: Source,
        passage: Box<dyn Passage>,
        lead: Vec<u8>,
        answer: &mut Answer,
    ) -> Ended {
        let (mut passage, mut lead) = (passage, lead);
        let phase = passage.phase();
        if phase == Phase::Complete {
            self.keep(passage.thoughts()).await;
        }
        let sink = answer.stream(self.receipt.clone());
        let passage = Rc::new(RefCell::new(passage));
        let mut ended = End::Stopped;
        // Where more comes, the pump writes it: it renews the lease meanwhile.
        if phase != Phase::Running && sink.write(&std::mem::take(&mut lead)).await.is_err() {
            ended = End::Left;
        }
        let mut refused = None;
        while matches!(ended, End::Stopped | End::Ended) {
            let phase = passage.borrow().phase();
            match phase {
                Phase::Running if ended == End::Stopped => {}
                Phase::Paused => {
                    source.cancel();
                    match service.resume(signal).await {
                        Ok(rest) => source = rest,
                        Err(failure) => {
                            refused = Some(failure);
                            break;
                        }
                    }
                    passage.borrow_mut().resume();
                }
                _ => break,
            }
            ended = self.pump(&source, sink, &std::mem::take(&mut lead), &passage).await;
        }
        let usage = passage.borrow().usage();
        let failure = match (ended, passage.borrow().phase()) {
            (End::Left, _) | (_, Phase::Complete) => None,
            _ if refused.is_some() => refused,
            (_, Phase::Broken(failure)) => Some(failure),
            (End::Stalled, _) => Some(failure::of_deadline("the stream stalled")),
            _ => Some(failure::of_network()),
        };
        let told = match &failure {
            _ if ended == End::Left || self.departure.is_gone() => {
                source.cancel();
                return Ended::Left(usage);
            }
            None => {
                let told = sink.close().await;
                let is_cut = passage.borrow().is_cut();
                service.leave(&source, is_cut).await;
                told
            }
            Some(failure) => {
                let last = passage.borrow_mut().fail(&failure.error);
                let told = answer.end(&last).await;
                source.cancel();
                told
            }
        };
        match (told, failure) {
            (Err(_), None) | (Ok(()), None) => Ended::Answered(usage),
            (_, Some(failure)) => Ended::Broken(failure),
        }
    }

    async fn pump(&self, source: &Source, sink: &Sink, lead: &[u8], passage: &Rc<RefCell<Box<dyn Passage>>>) -> End {
        let tail = Rc::new(RefCell::new(Vec::new()));
        let feed = {
            let (passage, tail, capture) = (passage.clone(), tail.clone(), self.capture.clone());
            move |chunk: &[u8]| {
                let mut passage = passage.borrow_mut();
                let fed = passage.feed(chunk);
                capture.hear(&fed.lead);
                capture.hear(chunk.get(fed.rest.clone()).unwrap_or_default());
                if passage.phase() != Phase::Running {
                    let mut last = fed.lead;
                    last.extend_from_slice(chunk.get(fed.rest).unwrap_or_default());
                    *tail.borrow_mut() = last;
                    return Feed::Stop;
                }
                if fed.rest == (0..chunk.len()) {
                    return Feed::Same;
                }
                Feed::Changed(fed.lead, fed.rest)
            }
        };
        let (ping_ms, stall_ms) = (self.settings.ping_ms, self.settings.deadlines.stall_ms);
        let (renew, renew_ms) = (self.renew.clone(), self.renew_ms);
        let tick_ms = ping_ms.min(stall_ms).min(renew_ms).div_ceil(4).clamp(10, 10_000);
        let (mut pinged_ms, mut since_renewal_ms) = (0, 0);
        let reply = self.reply.clone();
        let watch = move |idle_ms: u64| {
            since_renewal_ms += tick_ms;
            if since_renewal_ms >= renew_ms {
                since_renewal_ms = 0;
                renew();
            }
            if idle_ms < pinged_ms {
                pinged_ms = 0;
            }
            if idle_ms >= stall_ms {
                Watch::Stalled
            } else if idle_ms.saturating_sub(pinged_ms).saturating_add(tick_ms) > ping_ms {
                // At the next tick it would be too late.
                pinged_ms = idle_ms;
                Watch::Write(reply.ping())
            } else {
                Watch::Wait
            }
        };
        let ended = pump(source, sink, lead, feed, watch, tick_ms).await;
        if ended == End::Ended {
            tail.borrow_mut().extend_from_slice(&passage.borrow_mut().end());
        }
        let is_complete = passage.borrow().phase() == Phase::Complete;
        if is_complete {
            let thoughts = passage.borrow_mut().thoughts();
            self.keep(thoughts).await;
        }
        let last = std::mem::take(&mut *tail.borrow_mut());
        if ended != End::Left && sink.write(&last).await.is_err() { End::Left } else { ended }
    }

    /// Up to the first event of a stream, or to the end of a plain answer.
    async fn first_bytes(
        &self,
        service: &Service<'_>,
        signal: &AbortSignal,
        headers_seen: &Cell<bool>,
    ) -> Result<First, Failure> {
        let (mut source, mut passage) = match service.open(signal, headers_seen).await? {
            Opened::Whole(body, usage) => {
                let thoughts = if self.remembers { Thoughts::of_completion(&body) } else { Thoughts::default() };
                return Ok(First::Whole { body, usage, thoughts, rest: None });
            }
            Opened::Stream(source, meter) => {
                (source, Box::new(FastPath::new(meter, self.remembers)) as Box<dyn Passage>)
            }
            Opened::Events(source, decode) => {
                let max_bytes = self.settings.max_answer_bytes;
                (source, Box::new(Translation::new(decode, self.reply.encoder(), max_bytes)) as Box<dyn Passage>)
            }
        };
        let mut lead = Vec::new();
        loop {
            match passage.phase() {
                Phase::Running if !passage.started() => {}
                Phase::Paused if !passage.started() => {
                    source.cancel();
                    source = service.resume(signal).await?;
                    passage.resume();
                }
                Phase::Broken(failure) if !passage.started() => {
                    source.cancel();
                    return Err(failure);
                }
                _ if self.reply.stream => return Ok(First::Begun(source, passage, lead)),
                _ => {
                    let (usage, thoughts) = (passage.usage(), passage.thoughts());
                    return Ok(First::Whole { body: lead, usage, thoughts, rest: Some((source, passage.is_cut())) });
                }
            }
            match source.read().await.map_err(|_| failure::of_network())? {
                Some(read) => {
                    let fed = passage.feed(&read);
                    lead.extend_from_slice(&fed.lead);
                    lead.extend_from_slice(read.get(fed.rest).unwrap_or_default());
                }
                None => lead.extend_from_slice(&passage.end()),
            }
        }
    }

    /// Stores what is to be kept of an answer, before the caller hears that it is complete: the next call may build on it.
    /// Not within the deadlines of an answer, which there is already, nor while keep-alives overtake what is not yet sent.
    async fn keep(&self, thoughts: Thoughts) {
        self.memory.keep(self.reply.kept(), self.remembers.then_some(thoughts)).await;
    }
}
