//! Who gets an account: the choice, the wait, and the reasons for a refusal.
use super::account::{Cause, Condition, Standing};
use super::clock::{Calendar, Millis};
use super::meter::{Gate, Limit};
use super::protocol::{AdmitRequest, Grant, Reason, Refusal};
use super::queue::{Place, Waiter};
use super::state::{Admission, Ledger, Woken};

/// When nobody knows when a call in flight will end.
const UNKNOWN_WAIT_MS: Millis = 1_000;

/// Why a request has no account now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// Its key's own limit.
    Key(Gate),
    /// No account can take it.
    Accounts,
    /// Accounts could, but none has the tokens left; or another request, before it, waits for tokens.
    Tokens,
}

/// The earliest moment at which a request could be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Earliest {
    /// At this moment, for time alone stands in the way.
    At(Millis, Cause),
    /// When some call in flight ends.
    Unknown,
    /// Every account was tried.
    Exhausted,
    /// No account is open.
    Never,
}

impl<C: Calendar> Ledger<C> {
    /// The index of a key that may call.
    pub(super) fn usable_key(&self, now: Millis, id: &str) -> Option<usize> {
        let index = *self.client_index.get(id)?;
        let client = self.clients.get(index)?;
        let usable = !client.removed && client.spec.enabled && client.spec.expires_at_ms.is_none_or(|end| end > now);
        usable.then_some(index)
    }

    fn key_ends(&self, key: usize) -> Millis {
        self.clients.get(key).and_then(|client| client.spec.expires_at_ms).unwrap_or(Millis::MAX)
    }

    pub(super) fn key_revoked() -> Refusal {
        let detail = "This API key is unknown, disabled or expired.".to_owned();
        Refusal { reason: Reason::KeyRevoked, retry_after_ms: None, detail }
    }

    /// Grants an account if one can take the request now. `since` is when a waiter came.
    pub(super) fn try_grant(
        &mut self,
        now: Millis,
        request: &AdmitRequest,
        key: usize,
        pool: u64,
        since: Option<Millis>,
    ) -> Result<Grant, Obstacle> {
        let index = self.preview(now, request, Some(key), pool, since.is_none())?;
        let waited = since.map(|since| now.saturating_sub(since));
        self.make_lease(request, key, index, waited).ok_or(Obstacle::Accounts)
    }

    /// The account that would serve now. A newcomer may not overtake a waiter who lacks only tokens.
    pub(super) fn preview(
        &mut self,
        now: Millis,
        request: &AdmitRequest,
        key: Option<usize>,
        pool: u64,
        is_new: bool,
    ) -> Result<usize, Obstacle> {
        match key.map_or(Gate::Open, |key| self.key_gate(now, key, request.tokens)) {
            Gate::Open => {}
            gate => return Err(Obstacle::Key(gate)),
        }
        if is_new && self.pools.get(&pool).is_some_and(|pool| pool.held) {
            return Err(Obstacle::Tokens);
        }
        self.choose(now, request, key, pool)
    }

    fn key_gate(&mut self, now: Millis, key: usize, tokens: u64) -> Gate {
        let today = self.today;
        let Some(client) = self.clients.get_mut(key) else { return Gate::Closed(Limit::Blocked) };
        client.meter.roll(now, today);
        match (client.meter.gate(now, today), client.meter.token_gate(now, tokens)) {
            (Gate::Open, gate) | (Gate::NotBefore(..), gate @ Gate::UntilReleased(_)) => gate,
            (Gate::NotBefore(at, _), gate @ Gate::NotBefore(later, _)) if later > at => gate,
            (gate, _) => gate,
        }
    }

    /// When time alone opens a waiter's key.
    pub(super) fn key_opens(&self, place: Place) -> Option<Millis> {
        let waiter = self.queue.get(place)?;
        let meter = &self.clients.get(waiter.key)?.meter;
        match (meter.gate(self.now, self.today), meter.token_gate(self.now, waiter.request.tokens)) {
            (Gate::NotBefore(at, _), _) | (Gate::Open, Gate::NotBefore(at, _)) => Some(at),
            _ => None,
        }
    }

    /// The account that serves: the conversation's own while it is as good as the best, else the best.
    fn choose(&self, now: Millis, request: &AdmitRequest, key: Option<usize>, pool_id: u64) -> Result<usize, Obstacle> {
        let Some(pool) = self.pools.get(&pool_id) else { return Err(Obstacle::Accounts) };
        let mut obstacle = Obstacle::Accounts;
        let best = pool.best(|index| {
            if self.is_excluded(request, index) {
                return false;
            }
            let has_room = self.has_room(now, index, request.tokens);
            if !has_room {
                obstacle = Obstacle::Tokens;
            }
            has_room
        });
        let Some((best_rank, best)) = best else { return Err(obstacle) };
        let life = self.settings.sticky_s.saturating_mul(1_000);
        let own =
            request.conversation.as_deref().zip(key).and_then(|(name, key)| self.sticky.get(key, name, now, life));
        let own = own.filter(|index| {
            let Some(account) = self.accounts.get(*index) else { return false };
            let is_peer = matches!(account.standing, Standing::Eligible(rank) if rank.is_peer(best_rank));
            is_peer
                && account.seats.iter().any(|(pool, _)| *pool == pool_id)
                && !self.is_excluded(request, *index)
                && self.has_room(now, *index, request.tokens)
        });
        Ok(own.unwrap_or(best))
    }

    fn is_excluded(&self, request: &AdmitRequest, index: usize) -> bool {
        let Some(account) = self.accounts.get(index) else { return true };
        request.exclude.contains(&account.spec.id)
    }

    fn has_room(&self, now: Millis, index: usize, tokens: u64) -> bool {
        self.accounts.get(index).is_some_and(|account| account.meter.token_gate(now, tokens) == Gate::Open)
    }

    /// Gives every waiter whose time has come an account, and tells those whose time is over.
    pub(super) fn serve(&mut self, now: Millis) {
        while let Some((deadline, place)) = self.queue.first_deadline()
            && deadline <= now
        {
            let refusal = self.queue.get(place).cloned().map(|waiter| self.waited_out(now, &waiter));
            self.answer(place, refusal.map(Err));
        }
        for pool in self.pools.values_mut() {
            pool.held = false;
        }
        let mut last = None;
        while self.pools.values().any(|pool| pool.waiting > 0 && (pool.is_open() || pool.is_closed())) {
            let Some((place, waiter)) = self.queue.after(last) else { break };
            last = Some(place);
            let Some(pool) = self.pools.get(&waiter.pool) else { continue };
            if pool.is_closed() {
                let waiter = waiter.clone();
                let refusal = self.closed(now, waiter.pool);
                self.answer(place, Some(Err(refusal)));
                continue;
            }
            if pool.held || !pool.is_open() {
                continue;
            }
            let waiter = waiter.clone();
            match self.try_grant(now, &waiter.request, waiter.key, waiter.pool, Some(waiter.since)) {
                Ok(grant) => self.answer(place, Some(Ok(grant))),
                // Whoever lacks only tokens is first: else smaller requests would starve it.
                Err(Obstacle::Tokens) => {
                    if let Some(pool) = self.pools.get_mut(&waiter.pool) {
                        pool.held = true;
                    }
                }
                Err(Obstacle::Key(_) | Obstacle::Accounts) => {}
            }
        }
    }

    /// Looks at the waiters again after the configuration changed.
    pub(super) fn revise_waiters(&mut self, now: Millis) {
        let places: Vec<Place> = self.queue.places().collect();
        for place in places {
            let revoked =
                self.queue.get(place).is_some_and(|waiter| self.usable_key(now, &waiter.request.key).is_none());
            if revoked {
                self.answer(place, Some(Err(Self::key_revoked())));
            } else if let Some(key) = self.queue.get(place).map(|waiter| waiter.key) {
                self.queue.end_by(place, self.key_ends(key));
            }
        }
    }

    fn answer(&mut self, place: Place, result: Option<Result<Grant, Refusal>>) {
        let served = matches!(result, Some(Ok(_)));
        if let (Some(waiter), Some(result)) = (self.leave_queue(place, served), result) {
            self.woken.push(Woken { ticket: waiter.request.ticket, result });
        }
    }

    pub(super) fn leave_queue(&mut self, place: Place, served: bool) -> Option<Waiter> {
        let waiter = self.queue.remove(place, served)?;
        if let Some(pool) = self.pools.get_mut(&waiter.pool) {
            pool.waiting = pool.waiting.saturating_sub(1);
        }
        Some(waiter)
    }

    /// A place in the queue, if the wait can be short enough and there is one.
    pub(super) fn wait_or_refuse(
        &mut self,
        now: Millis,
        request: &AdmitRequest,
        key: usize,
        pool: u64,
        obstacle: Obstacle,
    ) -> Admission {
        let deadline = now.saturating_add(self.settings.max_wait_ms);
        let (earliest, by_key) = self.earliest(now, request, pool, obstacle);
        let refused = |refusal| Admission::Refused(refusal);
        match earliest {
            Earliest::Never if by_key => return refused(self.key_limit(now, None)),
            Earliest::Never => return refused(self.closed(now, pool)),
            Earliest::Exhausted => {
                let later =
                    self.pools.get(&pool).and_then(|pool| pool.later().next()).map(|(at, _)| at.saturating_sub(now));
                let detail = "Every account that could serve this was tried.".to_owned();
                return refused(Refusal { reason: Reason::Exhausted, retry_after_ms: later, detail });
            }
            Earliest::At(at, _) if at > deadline && by_key => return refused(self.key_limit(now, Some(at))),
            Earliest::At(at, cause) if at > deadline => return refused(self.limited(now, pool, at, cause)),
            Earliest::At(..) | Earliest::Unknown => {}
        }
        if !request.waits || self.queue.len() >= self.settings.max_waiting || self.settings.max_wait_ms == 0 {
            return refused(match earliest {
                Earliest::At(at, _) if by_key => self.key_limit(now, Some(at)),
                Earliest::At(at, cause) => self.limited(now, pool, at, cause),
                _ if by_key => self.key_limit(now, Some(now.saturating_add(UNKNOWN_WAIT_MS))),
                _ => queue_full("All accounts for this model are busy, and the queue is full.", self.hint(now, pool)),
            });
        }
        if let Some(pool) = self.pools.get_mut(&pool) {
            pool.waiting = pool.waiting.saturating_add(1);
        }
        // Nobody waits longer than its key lives.
        let deadline = deadline.min(self.key_ends(key));
        self.queue.push(Waiter { request: request.clone(), key, pool, since: now, deadline });
        Admission::Waiting
    }

    /// When a request could be served, and whether its key is what stands in the way.
    pub(super) fn earliest(
        &self,
        now: Millis,
        request: &AdmitRequest,
        pool: u64,
        obstacle: Obstacle,
    ) -> (Earliest, bool) {
        let by_accounts = self.earliest_account(now, request, pool);
        match (obstacle, by_accounts) {
            (_, Earliest::Never | Earliest::Exhausted) => (by_accounts, false),
            (Obstacle::Key(Gate::Closed(_)), _) => (Earliest::Never, true),
            (Obstacle::Key(Gate::NotBefore(at, limit)), Earliest::At(other, _)) if at >= other => {
                (Earliest::At(at, Cause::Limit(limit)), true)
            }
            (Obstacle::Key(Gate::NotBefore(at, limit)), Earliest::Unknown) => {
                (Earliest::At(at, Cause::Limit(limit)), true)
            }
            (Obstacle::Key(Gate::UntilReleased(_)), _) => (Earliest::Unknown, true),
            _ => (by_accounts, false),
        }
    }

    fn earliest_account(&self, now: Millis, request: &AdmitRequest, pool: u64) -> Earliest {
        let Some(pool) = self.pools.get(&pool) else { return Earliest::Never };
        let open = |index: usize| !self.is_excluded(request, index);
        let mut earliest = Earliest::Exhausted;
        if pool.held || pool.busy().any(open) {
            return Earliest::Unknown;
        }
        for index in pool.eligible().filter(|index| open(*index)) {
            let Some(account) = self.accounts.get(index) else { continue };
            match account.meter.token_gate(now, request.tokens) {
                Gate::Open => earliest = sooner(earliest, now, Cause::Limit(Limit::Tpm)),
                Gate::NotBefore(at, limit) => earliest = sooner(earliest, at, Cause::Limit(limit)),
                Gate::UntilReleased(_) | Gate::Closed(_) => return Earliest::Unknown,
            }
        }
        for (at, index) in pool.later().filter(|(_, index)| open(*index)) {
            if matches!(earliest, Earliest::At(best, _) if best <= at) {
                break;
            }
            let Some(account) = self.accounts.get(index) else { continue };
            let cause = match account.standing {
                Standing::Later(_, cause) => cause,
                _ => Cause::Condition,
            };
            // Its tokens may come back later than its turn.
            match account.meter.token_gate(now, request.tokens) {
                Gate::NotBefore(tokens, limit) if tokens > at => {
                    earliest = sooner(earliest, tokens, Cause::Limit(limit));
                }
                Gate::Open | Gate::NotBefore(..) => earliest = sooner(earliest, at, cause),
                Gate::UntilReleased(_) | Gate::Closed(_) => return Earliest::Unknown,
            }
        }
        if earliest == Earliest::Exhausted && pool.is_closed() && request.exclude.is_empty() {
            return Earliest::Never;
        }
        earliest
    }

    /// When a new try makes sense where a call in flight stands in the way.
    fn hint(&self, now: Millis, pool: u64) -> Millis {
        let later = self.pools.get(&pool).and_then(|pool| pool.later().next()).map(|(at, _)| at.saturating_sub(now));
        later.map_or(UNKNOWN_WAIT_MS, |wait| wait.min(UNKNOWN_WAIT_MS))
    }

    fn waited_out(&mut self, now: Millis, waiter: &Waiter) -> Refusal {
        if self.usable_key(now, &waiter.request.key).is_none() {
            return Self::key_revoked();
        }
        let waited = now.saturating_sub(waiter.since);
        let obstacle = match self.key_gate(now, waiter.key, waiter.request.tokens) {
            Gate::Open => Obstacle::Accounts,
            gate => Obstacle::Key(gate),
        };
        // Others took what it waited for: it may be long until there is more.
        let (earliest, by_key) = self.earliest(now, &waiter.request, waiter.pool, obstacle);
        let known = if let Earliest::At(at, _) = earliest { Some(at) } else { None };
        if by_key {
            return self.key_limit(now, Some(known.unwrap_or(now.saturating_add(UNKNOWN_WAIT_MS))));
        }
        let detail = format!("All accounts for this model are busy; waited {waited} ms in the queue.");
        queue_full(&detail, known.map_or_else(|| self.hint(now, waiter.pool), |at| at.saturating_sub(now)))
    }

    fn key_limit(&self, now: Millis, at: Option<Millis>) -> Refusal {
        let detail = "This API key is at its own limit.".to_owned();
        Refusal { reason: Reason::KeyLimit, retry_after_ms: at.map(|at| at.saturating_sub(now)), detail }
    }

    fn limited(&self, now: Millis, pool: u64, at: Millis, cause: Cause) -> Refusal {
        let retry_after_ms = Some(at.saturating_sub(now));
        let (reason, detail) = match cause {
            Cause::Limit(Limit::Rpd) => {
                (Reason::DailyLimit, "All accounts for this model have used up their day.".to_owned())
            }
            Cause::Limit(_) => (Reason::RateLimited, "All accounts for this model are at their rate limit.".to_owned()),
            Cause::Condition if self.all_parked(pool) => return Refusal { retry_after_ms, ..self.closed(now, pool) },
            Cause::Condition => (Reason::RateLimited, "All accounts for this model are cooling down.".to_owned()),
        };
        Refusal { reason, retry_after_ms, detail }
    }

    fn all_parked(&self, pool: u64) -> bool {
        let Some(pool) = self.pools.get(&pool) else { return false };
        pool.later().all(|(_, index)| {
            let condition = self.accounts.get(index).map(|account| &account.health.condition);
            matches!(condition, Some(Condition::Parked { .. }))
        })
    }

    /// Why no account of a pool is open, in plain words and without naming one.
    fn closed(&self, now: Millis, pool: u64) -> Refusal {
        let mut causes: Vec<(String, usize)> = Vec::new();
        let mut only_uses = true;
        let members = self.pools.get(&pool).map(|pool| pool.members.as_slice()).unwrap_or_default();
        for account in members.iter().filter_map(|index| self.accounts.get(*index)) {
            let used_up = account.standing == Standing::Closed(Cause::Limit(Limit::MaxUses));
            only_uses &= used_up;
            let cause = account.reason(now).unwrap_or_else(|| "not available".to_owned());
            match causes.iter_mut().find(|(known, _)| *known == cause) {
                Some((_, count)) => *count += 1,
                None => causes.push((cause, 1)),
            }
        }
        if members.is_empty() {
            let detail = "There is no account for this model.".to_owned();
            return Refusal { reason: Reason::NoAccount, retry_after_ms: None, detail };
        }
        let list: Vec<String> = causes.into_iter().map(|(cause, count)| format!("{count}: {cause}")).collect();
        let detail = format!("No account for this model can serve ({}).", list.join("; "));
        let reason = if only_uses { Reason::DailyLimit } else { Reason::NoAccount };
        Refusal { reason, retry_after_ms: None, detail }
    }
}

fn sooner(earliest: Earliest, at: Millis, cause: Cause) -> Earliest {
    match earliest {
        Earliest::At(other, _) if other <= at => earliest,
        _ => Earliest::At(at, cause),
    }
}

fn queue_full(detail: &str, wait: Millis) -> Refusal {
    Refusal { reason: Reason::QueueFull, retry_after_ms: Some(wait), detail: detail.to_owned() }
}
