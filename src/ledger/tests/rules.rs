//! The rules of architecture §3, one by one.
use super::*;

fn ledger(limits: Limits, accounts: usize) -> Ledger<Utc> {
    let account = |index: usize| AccountSpec {
        id: format!("a{index}"),
        upstream: "u".into(),
        limits,
        weight: 1,
        priority: 0,
        enabled: true,
        sealed: String::new(),
    };
    let key = |id: &str| KeySpec { id: id.into(), limits: Limits::default(), enabled: true, expires_at_ms: None };
    let mut ledger = Ledger::new(Utc, 1);
    ledger.configure(
        START,
        LedgerView {
            version: 1,
            settings: Settings::default(),
            accounts: (0..accounts).map(account).collect(),
            keys: vec![key("k"), key("l")],
        },
    );
    ledger
}

fn ask(ticket: &str, key: &str) -> AdmitRequest {
    AdmitRequest { ticket: ticket.into(), key: key.into(), upstreams: vec!["u".into()], ..AdmitRequest::default() }
}

fn grant(ledger: &mut Ledger<Utc>, now: Millis) -> Grant {
    match ledger.admit(now, &ask("t", "k")) {
        Admission::Granted(grant) => grant,
        other => panic!("{other:?}"),
    }
}

fn state(ledger: &mut Ledger<Utc>, now: Millis) -> (String, Option<Millis>) {
    let account = ledger.status(now).accounts.remove(0);
    (account.state, account.until_ms)
}

fn fail(ledger: &mut Ledger<Utc>, now: Millis) {
    let grant = grant(ledger, now);
    assert!(ledger.settle(now, &grant.lease, &Outcome::Failure { cause: "boom".into() }));
}

#[test]
fn three_failures_cool_ten_seconds_doubling_and_one_call_is_the_trial() {
    let mut ledger = ledger(Limits::default(), 1);
    let mut now = START;
    for _ in 0..3 {
        assert_eq!(state(&mut ledger, now).0, "ready");
        fail(&mut ledger, now);
    }
    for pause in [10_000, 20_000, 40_000] {
        assert_eq!(state(&mut ledger, now), ("cooling".into(), Some(now + pause)));
        now += pause;
        let trial = grant(&mut ledger, now);
        assert_eq!(ledger.admit(now, &ask("second", "k")), Admission::Waiting, "one call is the trial");
        ledger.cancel(now, "second");
        ledger.settle(now, &trial.lease, &Outcome::Failure { cause: "boom".into() });
    }
    now += 80_000;
    let trial = grant(&mut ledger, now);
    ledger.settle(now, &trial.lease, &Outcome::Success { usage: None });
    assert_eq!(state(&mut ledger, now).0, "ready");
    fail(&mut ledger, now);
    assert_eq!(state(&mut ledger, now).0, "ready", "a success starts the count anew");
}

#[test]
fn no_upstream_takes_an_account_away_for_longer_than_a_day() {
    for asked in [86_400_001, 1_795_305_540_000, u64::MAX] {
        let mut ledger = ledger(Limits::default(), 1);
        let lease = grant(&mut ledger, START).lease;
        ledger.settle(START, &lease, &Outcome::RateLimited { retry_after_ms: Some(asked) });
        assert_eq!(state(&mut ledger, START), ("cooling".into(), Some(START + 86_400_000)));
    }
}

#[test]
fn a_429_cools_for_its_retry_after_or_backs_off() {
    let mut ledger = ledger(Limits::default(), 1);
    let first = grant(&mut ledger, START);
    ledger.settle(START, &first.lease, &Outcome::RateLimited { retry_after_ms: Some(7_000) });
    assert_eq!(state(&mut ledger, START), ("cooling".into(), Some(START + 7_000)));
    let mut now = START + 7_000;
    for longest in [2_000, 4_000, 8_000] {
        let next = grant(&mut ledger, now);
        ledger.settle(now, &next.lease, &Outcome::RateLimited { retry_after_ms: None });
        let until = state(&mut ledger, now).1.unwrap();
        assert!((now + longest / 2..=now + longest).contains(&until), "{longest}");
        now = until;
    }
}

#[test]
fn of_two_cool_downs_the_later_end_counts_and_a_trial_to_come_stays() {
    let limited = |seconds: u64| Outcome::RateLimited { retry_after_ms: Some(seconds * 1_000) };
    let failed = || Outcome::Failure { cause: "boom".into() };
    let before_trial = [failed(), failed(), failed(), limited(60), limited(5)];
    let after_429 = [limited(60), limited(5), failed(), failed(), failed()];
    for (outcomes, trial) in [(before_trial, true), (after_429, true), ([5, 60, 7, 60, 1].map(limited), false)] {
        let mut ledger = ledger(Limits::default(), 1);
        let leases = outcomes.each_ref().map(|_| grant(&mut ledger, START).lease);
        for (lease, outcome) in leases.iter().zip(&outcomes) {
            ledger.settle(START, lease, outcome);
        }
        assert_eq!(state(&mut ledger, START), ("cooling".into(), Some(START + 60_000)), "{outcomes:?}");
        let after = state(&mut ledger, START + 60_000).0;
        assert_eq!(after, if trial { "trial" } else { "ready" }, "{outcomes:?}");
    }
}

#[test]
fn a_callers_error_and_a_caller_who_leaves_say_nothing_of_the_account() {
    let mut ledger = ledger(Limits::default(), 1);
    for outcome in [Outcome::CallerError, Outcome::Cancelled { usage: None }, Outcome::Unused] {
        for _ in 0..5 {
            let grant = grant(&mut ledger, START);
            ledger.settle(START, &grant.lease, &outcome);
        }
        assert_eq!(state(&mut ledger, START).0, "ready");
    }
    assert_eq!(ledger.status(START).accounts[0].usage.rpm, 10, "unused calls are not counted");
}

#[test]
fn a_bad_credential_waits_for_a_new_one() {
    let mut ledger = ledger(Limits::default(), 1);
    let lease = grant(&mut ledger, START).lease;
    ledger.settle(START, &lease, &Outcome::InvalidCredential { cause: "401".into() });
    assert_eq!(state(&mut ledger, START), ("disabled".into(), None));
    let refused = ledger.admit(START, &ask("t", "k"));
    assert!(
        matches!(&refused, Admission::Refused(refusal) if refusal.reason == Reason::NoAccount && refusal.detail.contains("invalid credential"))
    );
    let spec = AccountSpec { sealed: "new".into(), ..ledger.accounts[0].spec.clone() };
    let keys = vec![ledger.clients[0].spec.clone()];
    ledger.configure(START, LedgerView { version: 2, accounts: vec![spec], keys, ..LedgerView::default() });
    assert_eq!(state(&mut ledger, START).0, "ready");
}

#[test]
fn who_waits_is_served_in_turn_and_fairly_between_keys() {
    let mut ledger = ledger(Limits { concurrency: Some(1), ..Limits::default() }, 1);
    let mut holder = grant(&mut ledger, START).lease;
    for ticket in ["k1", "k2", "k3"] {
        assert_eq!(ledger.admit(START, &ask(ticket, "k")), Admission::Waiting);
    }
    assert_eq!(ledger.admit(START + 1, &ask("l1", "l")), Admission::Waiting);
    let mut order = Vec::new();
    for step in 2..6 {
        ledger.settle(START + step, &holder, &Outcome::CallerError);
        let [woken] = ledger.wake(START + step).try_into().unwrap();
        holder = woken.result.unwrap().lease;
        assert!(ledger.renew(START + step, &holder));
        order.push(woken.ticket);
    }
    assert_eq!(order, ["k1", "l1", "k2", "k3"]);
}

#[test]
fn a_grant_that_nobody_confirms_passes_on_and_is_not_counted() {
    let mut ledger = ledger(Limits { concurrency: Some(1), ..Limits::default() }, 1);
    let holder = grant(&mut ledger, START).lease;
    for ticket in ["gone", "there"] {
        assert_eq!(ledger.admit(START, &ask(ticket, "k")), Admission::Waiting);
    }
    ledger.settle(START, &holder, &Outcome::CallerError);
    assert_eq!(ledger.wake(START)[0].ticket, "gone");
    assert!(ledger.wake(START + 4_999).is_empty());
    assert_eq!(ledger.next_alarm(), Some(START + 5_000));
    assert_eq!(ledger.wake(START + 5_000)[0].ticket, "there");
    assert_eq!(ledger.status(START + 5_000).accounts[0].usage.rpm, 2);
}

#[test]
fn who_waited_for_what_another_took_is_told_when_there_is_more() {
    let once = Limits { rpm: Some(1), ..Limits::default() };
    for (accounts, key, reason) in
        [(once, Limits::default(), Reason::QueueFull), (Limits::default(), once, Reason::KeyLimit)]
    {
        let mut ledger = ledger(accounts, 1);
        ledger.clients[0].meter.limits = key;
        grant(&mut ledger, START);
        for ticket in ["first", "second"] {
            assert_eq!(ledger.admit(START + 35_000, &ask(ticket, "k")), Admission::Waiting);
        }
        let [served] = ledger.wake(START + 60_000).try_into().unwrap();
        assert_eq!(served.ticket, "first");
        assert!(ledger.renew(START + 60_000, &served.result.unwrap().lease));
        let [sent_away] = ledger.wake(START + 65_000).try_into().unwrap();
        let refusal = sent_away.result.unwrap_err();
        assert_eq!((refusal.reason, refusal.retry_after_ms), (reason, Some(55_000)));
    }
}

#[test]
fn a_lease_ends_after_two_minutes_unless_renewed() {
    let mut ledger = ledger(Limits { concurrency: Some(1), ..Limits::default() }, 1);
    let lease = grant(&mut ledger, START).lease;
    assert!(ledger.renew(START + 100_000, &lease));
    assert_eq!(ledger.status(START + 219_999).accounts[0].in_flight, 1);
    assert_eq!(ledger.status(START + 220_000).accounts[0].in_flight, 0);
    assert!(!ledger.renew(START + 220_000, &lease));
    assert!(!ledger.settle(START + 220_000, &lease, &Outcome::CallerError));
}

#[test]
fn a_key_that_is_revoked_while_it_waits_is_told_so() {
    let mut ledger = ledger(Limits { concurrency: Some(1), ..Limits::default() }, 1);
    grant(&mut ledger, START);
    assert_eq!(ledger.admit(START, &ask("t", "l")), Admission::Waiting);
    let (accounts, keys) = (vec![ledger.accounts[0].spec.clone()], vec![ledger.clients[0].spec.clone()]);
    ledger.configure(START, LedgerView { version: 2, accounts, keys, ..LedgerView::default() });
    let [woken] = ledger.wake(START).try_into().unwrap();
    assert_eq!(woken.result.unwrap_err().reason, Reason::KeyRevoked);
}

#[test]
fn a_test_that_is_answered_makes_well_whatever_was_wrong_and_one_that_fails_counts_as_a_call() {
    let cause = || "it said so".to_owned();
    for (outcome, becomes) in [
        (Outcome::InvalidCredential { cause: cause() }, "disabled"),
        (Outcome::NeedsLogin { cause: cause() }, "needs_login"),
        (Outcome::Parked { cause: cause(), until_ms: None }, "parked"),
        (Outcome::RateLimited { retry_after_ms: Some(60_000) }, "cooling"),
        (Outcome::CallerError, "ready"),
    ] {
        let limits = Limits { max_uses: Some(2), ..Limits::default() };
        let mut ledger = ledger(limits, 1);
        grant(&mut ledger, START);
        assert!(!ledger.tested(START, "nobody", &outcome));
        assert!(ledger.tested(START, "a0", &outcome));
        assert_eq!(state(&mut ledger, START).0, becomes);
        assert!(ledger.tested(START, "a0", &Outcome::Success { usage: None }));
        let account = ledger.status(START).accounts.remove(0);
        assert_eq!((account.state.as_str(), account.usage.uses), ("ready", 1), "its uses stay counted");
        grant(&mut ledger, START);
    }
}

#[test]
fn a_reset_counts_uses_from_zero_and_makes_well_also_after_a_restart() {
    let limits = Limits { max_uses: Some(2), ..Limits::default() };
    let mut ledger = ledger(limits, 1);
    let first = grant(&mut ledger, START);
    let second = grant(&mut ledger, START);
    ledger.settle(START, &first.lease, &Outcome::Parked { cause: "used up".into(), until_ms: None });
    assert!(matches!(ledger.admit(START, &ask("t", "k")), Admission::Refused(_)));
    assert!(!ledger.reset(START, "nobody"));
    assert!(ledger.reset(START, "a0"));
    // A call that was in flight is of the old count.
    ledger.settle(START, &second.lease, &Outcome::Success { usage: None });
    assert_eq!(state(&mut ledger, START).0, "ready");
    grant(&mut ledger, START);

    let mut store = store::Store::default();
    store.save(&ledger.take_records());
    let mut reborn = self::ledger(limits, 1);
    reborn.restore(START, &store.stored());
    let account = reborn.status(START).accounts.remove(0);
    assert_eq!((account.state.as_str(), account.usage.uses), ("ready", 1));
}

#[test]
fn what_was_counted_outlives_a_second_restart_without_a_call_between() {
    let mut store = store::Store::default();
    let mut ledger = self::ledger(Limits::default(), 1);
    let lease = grant(&mut ledger, START).lease;
    ledger.settle(START, &lease, &Outcome::Success { usage: None });
    let mut now = START;
    for _restart in 0..2 {
        store.save(&ledger.take_records());
        ledger = self::ledger(Limits::default(), 1);
        ledger.restore(now, &store.stored());
        // Long enough for the call's own row to be forgotten.
        for _minute in 0..3 {
            now += 60_000;
            ledger.wake(now);
        }
        let status = ledger.status(now);
        assert_eq!((status.accounts[0].usage.uses, status.keys[0].usage.uses), (1, 1));
    }
}

/// The configuration of `ledger`, with all of it or with nobody.
fn configure(ledger: &mut Ledger<Utc>, now: Millis, version: u64, limits: Limits, with_all: bool) {
    let all = self::ledger(limits, 1);
    let accounts = all.accounts.iter().map(|account| account.spec.clone()).filter(|_| with_all).collect();
    let keys = all.clients.iter().map(|client| client.spec.clone()).filter(|_| with_all).collect();
    ledger.configure(now, LedgerView { version, settings: Settings::default(), accounts, keys });
}

#[test]
fn who_is_taken_out_and_put_back_has_no_fresh_day_and_begins_anew_on_the_next() {
    let limits = Limits { rpd: Some(1), ..Limits::default() };
    for restarts in [false, true] {
        // Not so near to midnight.
        let now = START + 120_000;
        let mut ledger = ledger(limits, 1);
        let mut store = store::Store::default();
        let mut restart = |ledger: &mut Ledger<Utc>, now: Millis, with_all: bool| {
            store.save(&ledger.take_records());
            if restarts {
                *ledger = Ledger::new(Utc, 1);
                configure(ledger, now, 1, limits, with_all);
                ledger.restore(now, &store.stored());
            }
            store.stored().totals.len()
        };
        let lease = grant(&mut ledger, now).lease;
        ledger.settle(now, &lease, &Outcome::Success { usage: None });
        configure(&mut ledger, now, 2, limits, false);
        for minute in 1..=60 {
            ledger.wake(now + minute * 60_000);
        }
        assert_eq!(restart(&mut ledger, now + 3_600_000, false), 2, "the account's and the key's");
        configure(&mut ledger, now + 3_600_000, 3, limits, true);
        let refused = ledger.admit(now + 3_600_000, &ask("t", "k"));
        assert!(matches!(refused, Admission::Refused(refusal) if refusal.reason == Reason::DailyLimit));

        let tomorrow = now + 86_400_000;
        configure(&mut ledger, tomorrow, 4, limits, false);
        ledger.wake(tomorrow + 60_000);
        assert_eq!(restart(&mut ledger, tomorrow + 60_000, false), 0, "restarts: {restarts}");
        configure(&mut ledger, tomorrow + 60_000, 5, limits, true);
        let next = grant(&mut ledger, tomorrow + 60_000).lease;
        assert_ne!(next, lease, "no lease is named twice");
        assert_eq!(ledger.status(tomorrow + 60_000).accounts[0].usage.uses, 1);
    }
}

#[test]
fn a_lease_outlives_its_account_and_its_key() {
    let mut ledger = ledger(Limits::default(), 1);
    let tomorrow = START + 86_400_000;
    let lease = grant(&mut ledger, START).lease;
    configure(&mut ledger, START, 2, Limits::default(), false);
    for now in (START..tomorrow).step_by(60_000) {
        assert!(ledger.renew(now, &lease));
    }
    assert!(ledger.settle(tomorrow, &lease, &Outcome::Success { usage: None }));
    configure(&mut ledger, tomorrow, 3, Limits::default(), true);
    assert_eq!(ledger.status(tomorrow).accounts[0].usage.uses, 1, "it ended in this minute");
}
