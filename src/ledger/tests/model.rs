//! A second opinion on the ledger, health and choice included: plain lists of all calls and waiters, scanned each time.
use std::collections::HashMap;

use super::*;
use protocol::Refusal;

const MINUTE: Millis = 60_000;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Health {
    Ready,
    Cooling { until: Millis, trial: bool },
    Trial,
    Parked { until: Option<Millis> },
    Off,
}

#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) spec: AccountSpec,
    pub(super) health: Health,
    failures: u32,
    cools: u32,
    backoffs: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) lease: String,
    account: String,
    key: String,
    admitted: Millis,
    expires: Millis,
    reserved: u64,
    key_reserved: u64,
    unconfirmed: bool,
    /// When it ended, and with how many tokens.
    ended: Option<(Millis, u64)>,
    /// When it was found never to have been made.
    withdrawn: Option<Millis>,
}

impl Call {
    pub(super) fn is_open(&self) -> bool {
        self.ended.is_none() && self.withdrawn.is_none()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) request: AdmitRequest,
    pub(super) deadline: Millis,
}

#[derive(Default)]
pub(super) struct Model {
    pub(super) now: Millis,
    pub(super) settings: Settings,
    /// Those of the configuration.
    pub(super) accounts: Vec<Account>,
    /// Those taken out of it, until they come back.
    gone: Vec<Account>,
    pub(super) keys: Vec<KeySpec>,
    pub(super) calls: Vec<Call>,
    /// In the order of their arrival.
    pub(super) waiting: Vec<Waiting>,
    pub(super) sticky: HashMap<(String, String), (String, Millis)>,
    /// Calls that count no more, since their account or key was gone.
    pub(super) forgotten: usize,
}

impl Model {
    pub(super) fn configure(&mut self, view: LedgerView) {
        let mut known = std::mem::take(&mut self.accounts);
        for spec in view.accounts {
            let account = match known.iter().position(|account| account.spec.id == spec.id) {
                Some(at) => {
                    let account = known.remove(at);
                    let healed = spec.sealed != account.spec.sealed || (spec.enabled && !account.spec.enabled);
                    if healed { fresh(spec) } else { Account { spec, ..account } }
                }
                None => {
                    self.gone.retain(|account| account.spec.id != spec.id);
                    self.comes(&spec.id);
                    fresh(spec)
                }
            };
            self.accounts.push(account);
        }
        self.gone.append(&mut known);
        let known = std::mem::replace(&mut self.keys, view.keys);
        let came = self.keys.iter().filter(|key| known.iter().all(|old| old.id != key.id)).map(|key| key.id.clone());
        for id in came.collect::<Vec<_>>() {
            self.comes(&id);
        }
        self.settings = view.settings;
        let ends: Vec<Millis> = self.waiting.iter().map(|waiting| self.key_ends(&waiting.request.key)).collect();
        for (waiting, end) in self.waiting.iter_mut().zip(ends) {
            waiting.deadline = waiting.deadline.min(end);
        }
    }

    /// Who comes, and was there before, goes on if any of its calls counts still; else it begins anew.
    fn comes(&mut self, id: &str) {
        let counts = |call: &Call| match call.ended {
            Some((at, _)) => self.now < at + MINUTE || Day::utc(call.admitted) == Day::utc(self.now),
            None => call.is_open(),
        };
        if self.calls_of(id).any(counts) {
            return;
        }
        self.sticky.retain(|(key, _), (account, _)| key != id && account != id);
        for owner in self.calls.iter_mut().flat_map(|call| [&mut call.account, &mut call.key]) {
            if owner == id {
                owner.clear();
                self.forgotten += 1;
            }
        }
    }

    pub(super) fn advance(&mut self, now: Millis) {
        self.now = now;
        for call in self.calls.iter_mut().filter(|call| call.is_open() && call.expires <= now) {
            if call.unconfirmed {
                call.withdrawn = Some(now);
            } else {
                call.ended = Some((now, call.reserved.max(call.key_reserved)));
            }
        }
        for account in self.accounts.iter_mut().chain(&mut self.gone) {
            match account.health {
                Health::Cooling { until, trial: true } if until <= now => account.health = Health::Trial,
                Health::Cooling { until, .. } | Health::Parked { until: Some(until) } if until <= now => {
                    account.health = Health::Ready;
                }
                _ => {}
            }
        }
    }

    pub(super) fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.spec.id == id)
    }

    fn calls_of(&self, owner: &str) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(move |call| call.account == owner || call.key == owner)
    }

    pub(super) fn in_flight(&self, owner: &str) -> u64 {
        self.calls_of(owner).filter(|call| call.is_open()).count() as u64
    }

    pub(super) fn usage(&self, owner: &str) -> Usage {
        let mut usage = Usage { rpm: 0, rpd: 0, tpm: 0, uses: 0 };
        for call in self.calls_of(owner).filter(|call| call.withdrawn.is_none()) {
            usage.uses += 1;
            usage.rpm += u64::from(self.now < call.admitted + MINUTE);
            usage.rpd += u64::from(Day::utc(call.admitted) == Day::utc(self.now));
            usage.tpm += match call.ended {
                None if call.account == owner => call.reserved,
                None => call.key_reserved,
                Some((at, tokens)) if self.now < at + MINUTE => tokens,
                Some(_) => 0,
            };
        }
        usage
    }

    /// The last admission; one that was taken back a minute later still counts for gaps.
    fn last(&self, owner: &str) -> Option<Millis> {
        let counts = |call: &&Call| call.withdrawn.is_none_or(|at| at >= call.admitted + MINUTE);
        self.calls_of(owner).filter(counts).map(|call| call.admitted).max()
    }

    /// Whether limits admit one more call, its tokens aside.
    fn has_slot(&self, owner: &str, limits: &Limits) -> bool {
        let usage = self.usage(owner);
        let below = |used: u64, limit: Option<u64>| limit.is_none_or(|limit| used < limit);
        let rested = limits.min_gap_ms.is_none_or(|gap| self.last(owner).is_none_or(|last| last + gap <= self.now));
        below(self.in_flight(owner), limits.concurrency)
            && below(usage.rpm, limits.rpm)
            && below(usage.rpd, limits.rpd)
            && below(usage.uses, limits.max_uses)
            && limits.tpm != Some(0)
            && rested
    }

    /// Whether `tpm` admits the tokens, at least one; what is larger than the limit goes when nothing else is there.
    fn has_tokens(&self, owner: &str, limits: &Limits, tokens: u64) -> bool {
        let used = self.usage(owner).tpm;
        limits.tpm.is_none_or(|limit| used == 0 || used + tokens.max(1) <= limit)
    }

    /// Whether an account could take a call, its tokens aside.
    pub(super) fn is_ready(&self, account: &Account) -> bool {
        let well = match account.health {
            Health::Ready => true,
            Health::Trial => self.in_flight(&account.spec.id) == 0,
            _ => false,
        };
        well && account.spec.enabled && self.has_slot(&account.spec.id, &account.spec.limits)
    }

    /// The accounts that could serve a request, and how many could but for its tokens.
    pub(super) fn eligible(&self, request: &AdmitRequest) -> (Vec<&Account>, usize) {
        let open = |account: &&Account| {
            request.upstreams.contains(&account.spec.upstream)
                && !request.exclude.contains(&account.spec.id)
                && self.is_ready(account)
        };
        let ready: Vec<&Account> = self.accounts.iter().filter(open).collect();
        let fits = |account: &&&Account| self.has_tokens(&account.spec.id, &account.spec.limits, request.tokens);
        (ready.iter().filter(fits).copied().collect(), ready.len())
    }

    pub(super) fn key_usable(&self, id: &str) -> bool {
        let usable = |key: &KeySpec| key.enabled && key.expires_at_ms.is_none_or(|end| end > self.now);
        self.keys.iter().any(|key| key.id == id && usable(key))
    }

    pub(super) fn key_ends(&self, id: &str) -> Millis {
        self.keys.iter().find(|key| key.id == id).and_then(|key| key.expires_at_ms).unwrap_or(Millis::MAX)
    }

    pub(super) fn key_open(&self, request: &AdmitRequest) -> bool {
        let key = self.keys.iter().find(|key| key.id == request.key);
        key.is_some_and(|key| {
            self.has_slot(&key.id, &key.limits) && self.has_tokens(&key.id, &key.limits, request.tokens)
        })
    }

    /// Whether a waiter stands before accounts that lack only tokens.
    pub(super) fn holds(&self, request: &AdmitRequest) -> bool {
        let (fitting, ready) = self.eligible(request);
        self.key_open(request) && fitting.is_empty() && ready > 0
    }

    /// Whether no account of these upstreams can serve before somebody acts.
    pub(super) fn is_closed(&self, request: &AdmitRequest) -> bool {
        let mut members = self.accounts.iter().filter(|account| request.upstreams.contains(&account.spec.upstream));
        members.all(|account| {
            let limits = &account.spec.limits;
            let blocked = [limits.concurrency, limits.rpm, limits.rpd, limits.tpm, limits.max_uses].contains(&Some(0));
            let used_up = limits.max_uses.is_some_and(|limit| self.usage(&account.spec.id).uses >= limit);
            let ill = matches!(account.health, Health::Off | Health::Parked { until: None });
            !account.spec.enabled || blocked || used_up || ill
        })
    }

    /// Checks a grant against all that is known, and counts it.
    pub(super) fn granted(&mut self, request: &AdmitRequest, grant: &Grant, waited: bool) {
        assert!(self.key_usable(&request.key), "granted to a key that is gone: {request:?}");
        assert!(self.key_open(request), "over a limit of the key: {request:?}");
        let (eligible, _) = self.eligible(request);
        let chosen = eligible.iter().find(|account| account.spec.id == grant.account);
        let chosen = *chosen.unwrap_or_else(|| panic!("{} is not eligible for {request:?}", grant.account));
        assert_eq!((&chosen.spec.upstream, &chosen.spec.sealed), (&grant.upstream, &grant.sealed));
        let best = eligible.iter().map(|account| account.spec.priority).max().unwrap();
        assert_eq!(chosen.spec.priority, best, "not of the highest priority");
        match self.own(request, &eligible, best) {
            Some(own) => assert_eq!(own, grant.account, "not the conversation's own account"),
            None => self.check_rank(chosen, &eligible),
        }
        let key = self.keys.iter().find(|key| key.id == request.key).unwrap();
        let life = if waited { self.settings.confirm_ms } else { self.settings.lease_ms };
        let reservation = |limits: &Limits| limits.tpm.map_or(request.tokens, |limit| limit.min(request.tokens));
        let call = Call {
            lease: grant.lease.clone(),
            account: grant.account.clone(),
            key: request.key.clone(),
            admitted: self.now,
            expires: self.now + life,
            reserved: reservation(&chosen.spec.limits),
            key_reserved: reservation(&key.limits),
            unconfirmed: waited,
            ended: None,
            withdrawn: None,
        };
        assert_eq!(grant.confirm, waited);
        assert!(self.calls.iter().all(|other| other.lease != call.lease), "a lease was named twice");
        self.calls.push(call);
        if let Some(conversation) = &request.conversation {
            let name = (request.key.clone(), conversation.clone());
            self.sticky.insert(name, (grant.account.clone(), self.now));
        }
    }

    /// The account that served the conversation, while it is as good as the best.
    fn own(&self, request: &AdmitRequest, eligible: &[&Account], best: i32) -> Option<String> {
        let name = (request.key.clone(), request.conversation.clone()?);
        let (account, at) = self.sticky.get(&name)?;
        let recent = at + self.settings.sticky_s * 1_000 > self.now;
        let is_good = |other: &&Account| other.spec.id == *account && other.spec.priority == best;
        (recent && eligible.iter().any(is_good)).then(|| account.clone())
    }

    /// Least loaded for its weight, then most headroom, then least recently used.
    fn check_rank(&self, chosen: &Account, eligible: &[&Account]) {
        for other in eligible.iter().filter(|other| other.spec.priority == chosen.spec.priority) {
            let load = |account: &Account| self.in_flight(&account.spec.id) as f64 / f64::from(account.spec.weight);
            let [mine, theirs] = [load(chosen), load(other)];
            let about = format!("{} before {}", chosen.spec.id, other.spec.id);
            assert!(mine <= theirs + 1e-5, "more loaded: {about}");
            if theirs - mine > 1e-5 {
                continue;
            }
            let [mine, theirs] = [self.headroom(chosen), self.headroom(other)];
            assert!(mine >= theirs - 1e-6, "less headroom: {about}");
            if mine - theirs < 1e-6 {
                assert!(self.last(&chosen.spec.id) <= self.last(&other.spec.id), "used later: {about}");
            }
        }
    }

    fn headroom(&self, account: &Account) -> f64 {
        let Limits { concurrency, rpm, rpd, tpm, max_uses, .. } = account.spec.limits;
        let usage = self.usage(&account.spec.id);
        let pairs = [
            (concurrency, self.in_flight(&account.spec.id)),
            (rpm, usage.rpm),
            (rpd, usage.rpd),
            (tpm, usage.tpm),
            (max_uses, usage.uses),
        ];
        let share = |(limit, used): (Option<u64>, u64)| limit.map(|l| l.saturating_sub(used) as f64 / l as f64);
        pairs.into_iter().filter_map(share).fold(1.0, f64::min)
    }

    /// Takes a waiter out, and checks that nobody like it came before.
    pub(super) fn leaves(&mut self, ticket: &str, served: bool) -> Waiting {
        let at = self.waiting.iter().position(|one| one.request.ticket == ticket).expect("nobody waited");
        let waiting = self.waiting.remove(at);
        if served {
            let like = |other: &Waiting| AdmitRequest { ticket: ticket.to_owned(), ..other.request.clone() };
            let mine = format!("{:?}", waiting.request);
            let overtaken = self.waiting[..at].iter().any(|other| format!("{:?}", like(other)) == mine);
            assert!(!overtaken, "overtaken within its key");
        }
        waiting
    }

    pub(super) fn waiter_refused(&self, waiting: &Waiting, refusal: &Refusal) {
        match refusal.reason {
            Reason::KeyRevoked => assert!(!self.key_usable(&waiting.request.key)),
            Reason::QueueFull | Reason::KeyLimit => assert!(waiting.deadline <= self.now, "sent away too soon"),
            _ => assert!(self.is_closed(&waiting.request), "sent away while an account may open: {refusal:?}"),
        }
    }

    /// Ends a call; whether it was open. `cooling` tells until when the account pauses, where chance decides.
    pub(super) fn settle(&mut self, lease: &str, outcome: &Outcome, cooling: impl Fn(&str) -> Option<Millis>) -> bool {
        let now = self.now;
        let Some(call) = self.calls.iter_mut().find(|call| call.lease == lease && call.is_open()) else { return false };
        if *outcome == Outcome::Unused {
            call.withdrawn = Some(now);
            return true;
        }
        let reserved = call.reserved.max(call.key_reserved);
        let tokens = match outcome {
            Outcome::Success { usage } | Outcome::Cancelled { usage } => usage.map_or(reserved, |usage| usage.total()),
            _ => 0,
        };
        call.ended = Some((now, tokens));
        let id = call.account.clone();
        let mut all = self.accounts.iter_mut().chain(&mut self.gone);
        let account = all.find(|account| account.spec.id == id).unwrap();
        account.learn(now, outcome, &self.settings.cooling, cooling(&id));
        true
    }

    pub(super) fn renew(&mut self, lease: &str) -> bool {
        let expires = self.now + self.settings.lease_ms;
        let call = self.calls.iter_mut().find(|call| call.lease == lease && call.is_open());
        call.map(|call| (call.expires, call.unconfirmed) = (expires, false)).is_some()
    }
}

impl Account {
    fn learn(&mut self, now: Millis, outcome: &Outcome, settings: &Cooling, cooling: Option<Millis>) {
        let well = matches!(self.health, Health::Ready | Health::Trial);
        let grown = |first: Millis, times: u32, most: Millis| (first << times.min(30)).min(most);
        match outcome {
            Outcome::Success { .. } => {
                (self.failures, self.backoffs) = (0, 0);
                if well {
                    (self.cools, self.health) = (0, Health::Ready);
                }
            }
            Outcome::CallerError | Outcome::Cancelled { .. } | Outcome::Unused => {}
            Outcome::RateLimited { retry_after_ms: Some(pause) } => {
                self.backoffs += 1;
                self.cool(now + pause.min(&settings.retry_after_max_ms), false);
            }
            Outcome::RateLimited { retry_after_ms: None } => {
                let full = grown(settings.backoff_min_ms, self.backoffs, settings.backoff_max_ms);
                self.backoffs += 1;
                if well {
                    let until = cooling.expect("a 429 cools");
                    assert!((now + full / 2..=now + full).contains(&until), "the jitter is half of the pause");
                    self.cool(until, false);
                } else if let (Health::Cooling { .. }, Some(until)) = (&self.health, cooling) {
                    self.cool(until, false);
                }
            }
            Outcome::Failure { .. } => {
                self.failures += 1;
                if self.health == Health::Trial || self.failures >= settings.failures {
                    self.cools += u32::from(well);
                    let pause = grown(settings.min_ms, self.cools.saturating_sub(1), settings.max_ms);
                    self.cool(now + pause, true);
                }
            }
            Outcome::InvalidCredential { .. } | Outcome::NeedsLogin { .. } => self.health = Health::Off,
            Outcome::Parked { until_ms, .. } => self.health = Health::Parked { until: *until_ms },
        }
    }

    /// A well account cools; of two pauses the one that ends later counts; a trial to come is not called off.
    fn cool(&mut self, until: Millis, trial: bool) {
        match self.health {
            Health::Ready | Health::Trial => self.health = Health::Cooling { until, trial },
            Health::Cooling { until: end, trial: tried } => {
                self.health = Health::Cooling { until: end.max(until), trial: tried || trial };
            }
            _ => {}
        }
    }
}

fn fresh(spec: AccountSpec) -> Account {
    Account { spec, health: Health::Ready, failures: 0, cools: 0, backoffs: 0 }
}
