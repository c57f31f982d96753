//! The smallest of many keys that change all the time: a tournament tree.
//!
//! Each seat has at most one key. Neighbours play a match; its winner, the one with the smallest key, plays on in the
//! next round. A new key replays at most one match a round, in memory that lies together: where a key changes with each
//! admission, this costs a fraction of taking it out of a B-tree and putting it in again.
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::select_unpredictable;

/// A key, with one value that no key has.
pub(super) trait Key: Copy + Ord {
    /// Greater than any key; stands at a seat without one.
    const NONE: Self;
}

/// A key and its seat. Of equal keys the one at the first seat is the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Player<K> {
    key: K,
    seat: usize,
}

/// Players of one match. More make fewer rounds of longer matches.
const PLAYERS: usize = 8;

type Match<K> = [Player<K>; PLAYERS];

#[derive(Debug)]
pub(super) struct Tournament<K> {
    /// The first is played by all seats, each other one by the winners of the one before, the last is a single match.
    rounds: Vec<Vec<Match<K>>>,
    winner: Player<K>,
    keys: usize,
}

impl<K: Key> Default for Tournament<K> {
    fn default() -> Self {
        Tournament { rounds: Vec::new(), winner: Player::ABSENT, keys: 0 }
    }
}

impl<K: Key> Player<K> {
    const ABSENT: Self = Player { key: K::NONE, seat: usize::MAX };

    /// The winner of the two. Nobody can predict it, so a processor is not asked to.
    fn or(self, other: Self) -> Self {
        let loses = other.key < self.key;
        Player {
            key: select_unpredictable(loses, other.key, self.key),
            seat: select_unpredictable(loses, other.seat, self.seat),
        }
    }

    /// Its match in a round.
    fn place(self, round: usize) -> usize {
        (0..=round).fold(self.seat, |place, _| place / PLAYERS)
    }

    fn told(self) -> Option<(K, usize)> {
        (self.key != K::NONE).then_some((self.key, self.seat))
    }
}

impl<K: Key> Tournament<K> {
    /// Puts the key of a seat in the place of the one that it had. A seat is made where there was none.
    pub(super) fn set(&mut self, seat: usize, key: Option<K>) {
        let before = self.key(seat);
        if before == key {
            return;
        }
        self.keys = self.keys.saturating_sub(usize::from(before.is_some())).saturating_add(usize::from(key.is_some()));
        self.make_room(seat);
        let mut player = key.map_or(Player::ABSENT, |key| Player { key, seat });
        let mut place = seat;
        for round in &mut self.rounds {
            let Some(players) = round.get_mut(place / PLAYERS) else { return };
            let Some(former) = players.get_mut(place % PLAYERS) else { return };
            if *former == player {
                return;
            }
            *former = player;
            player = winner(*players);
            place /= PLAYERS;
        }
        self.winner = player;
    }

    /// How many seats have a key.
    pub(super) fn len(&self) -> usize {
        self.keys
    }

    /// The smallest key and its seat.
    pub(super) fn first(&self) -> Option<(K, usize)> {
        self.winner.told()
    }

    /// The smallest key that is accepted, and its seat. Looks only where a smaller one than the best so far can be.
    pub(super) fn best(&self, mut accepts: impl FnMut(usize) -> bool) -> Option<(K, usize)> {
        let (key, seat) = self.first()?;
        if accepts(seat) {
            return Some((key, seat));
        }
        let mut best = Player::ABSENT;
        if let Some(last) = self.rounds.len().checked_sub(1) {
            self.better(last, 0, &mut best, &mut accepts);
        }
        best.told()
    }

    /// Looks for a better one than `best` among the players of one match, and those whom they have beaten.
    fn better(&self, round: usize, place: usize, best: &mut Player<K>, accepts: &mut impl FnMut(usize) -> bool) {
        let Some(mut players) = self.rounds.get(round).and_then(|matches| matches.get(place)).copied() else { return };
        players.sort_unstable();
        for player in players.into_iter().take_while(|player| player.key != K::NONE) {
            if player >= *best {
                return;
            }
            match round.checked_sub(1) {
                Some(before) => self.better(before, player.place(before), best, accepts),
                None if accepts(player.seat) => *best = player,
                None => {}
            }
        }
    }

    /// All keys with their seats, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, usize)> {
        self.rounds.first().into_iter().flatten().flatten().filter_map(|player| player.told()).take(self.keys)
    }

    /// All keys with their seats, the smallest first. The first costs nothing, each other one a match a round.
    pub(super) fn ascending(&self) -> impl Iterator<Item = (K, usize)> {
        // Players who have won all their matches against those not yet told, and the number of those matches.
        let mut open = BinaryHeap::new();
        let mut last = None;
        std::iter::from_fn(move || {
            let next = match last {
                None => (self.winner, self.rounds.len()),
                Some((winner, matches)) => {
                    open.extend(self.beaten(winner, matches).map(Reverse));
                    open.pop()?.0
                }
            };
            last = Some(next);
            next.0.told()
        })
    }

    /// Those who lost to a player in one of its first matches, and how many they had won before.
    fn beaten(&self, winner: Player<K>, matches: usize) -> impl Iterator<Item = (Player<K>, usize)> {
        let rounds = self.rounds.iter().take(matches).enumerate();
        let played = rounds.filter_map(move |(won, round)| Some((won, round.get(winner.place(won))?)));
        played.flat_map(move |(won, players)| {
            let others = players.iter().filter(move |player| player.seat != winner.seat && player.key != K::NONE);
            others.map(move |player| (*player, won))
        })
    }

    fn key(&self, seat: usize) -> Option<K> {
        let player = self.rounds.first()?.get(seat / PLAYERS)?.get(seat % PLAYERS)?;
        player.told().map(|(key, _)| key)
    }

    fn make_room(&mut self, seat: usize) {
        let mut place = seat;
        for depth in 0.. {
            place /= PLAYERS;
            if depth == self.rounds.len() {
                let mut last = [Player::ABSENT; PLAYERS];
                last[0] = self.winner;
                self.rounds.push(vec![last]);
            }
            if let Some(round) = self.rounds.get_mut(depth)
                && place >= round.len()
            {
                round.resize(place + 1, [Player::ABSENT; PLAYERS]);
            }
            if place == 0 {
                return;
            }
        }
    }
}

fn winner<K: Key>([a, b, c, d, e, f, g, h]: Match<K>) -> Player<K> {
    a.or(b).or(c.or(d)).or(e.or(f).or(g.or(h)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_has_the_order_of_a_sorted_list_whatever_changes() {
        let mut random = fastrand::Rng::with_seed(1);
        for seats in [1, 7, 8, 9, 64, 65, 700] {
            let mut tournament = Tournament::default();
            let mut keys = BTreeMap::new();
            for _ in 0..4_000 {
                let seat = random.usize(0..seats);
                // Few keys, so that many are equal.
                let key = [None, Some(random.u64(0..9)), Some(random.u64(0..900))][random.usize(0..3)];
                tournament.set(seat, key);
                keys.remove(&seat);
                keys.extend(key.map(|key| (seat, key)));
                let first = keys.iter().map(|(seat, key)| (*key, *seat)).min();
                assert_eq!((tournament.first(), tournament.len()), (first, keys.len()));
            }
            let mut sorted: Vec<(u64, usize)> = keys.into_iter().map(|(seat, key)| (key, seat)).collect();
            sorted.sort_unstable();
            assert_eq!(tournament.ascending().collect::<Vec<_>>(), sorted);
            for step in [2, 3, 50, 701] {
                let accepts = |seat: usize| seat % step == 1;
                let best = sorted.iter().copied().find(|(_, seat)| accepts(*seat));
                assert_eq!(tournament.best(accepts), best);
            }
            let mut all: Vec<_> = tournament.iter().collect();
            all.sort_unstable();
            assert_eq!(all, sorted);
        }
    }
}
