//! The sticky assignors: balanced shares with as few moves as possible (K-S3, K-S5).

use super::racks::all_parts;
use super::{Candidate, Part, Racks, by_id, sticky_general, take_one};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// K-S3 if all subscriptions agree, K-S4 if not, where an order hangs on `hashes` of the topics' names.
#[must_use]
pub fn sticky(counts: &[u32], members: &[Candidate], racks: &Racks, hashes: &[u32]) -> Vec<Vec<Part>> {
    share_out(counts, members, racks, hashes).0
}

/// K-S5: what changes hands is given to nobody yet; its owner gives it up first, and the next rebalance moves it.
#[must_use]
pub fn cooperative_sticky(counts: &[u32], members: &[Candidate], racks: &Racks, hashes: &[u32]) -> Vec<Vec<Part>> {
    let (mut shares, moving) = share_out(counts, members, racks, hashes);
    moving.into_iter().for_each(|(part, place)| take_one(&mut shares[place], part));
    shares
}

/// The shares, and the partitions that go from one owner to another, with the new one.
fn share_out(
    counts: &[u32],
    members: &[Candidate],
    racks: &Racks,
    hashes: &[u32],
) -> (Vec<Vec<Part>>, BTreeMap<Part, usize>) {
    let claims = Claims::of(counts, members);
    let racks = Some(racks).filter(|racks| racks.matter(members.iter(), &all_parts(counts)));
    if same_subscriptions(members) {
        return constrained(counts, members, &claims, racks);
    }
    let shares = sticky_general::balance(counts, members, &claims, (racks, hashes));
    let mut moving = BTreeMap::new();
    let given_up: BTreeSet<Part> = (0..members.len())
        .flat_map(|place| {
            members[place].owned.iter().filter(|part| !shares[place].contains(part)).copied().collect::<Vec<_>>()
        })
        .collect();
    for (place, share) in shares.iter().enumerate() {
        let added = share.iter().filter(|part| !members[place].owned.contains(part));
        moving.extend(added.filter(|part| given_up.contains(part)).map(|part| (*part, place)));
    }
    (shares, moving)
}

/// Whether all subscriptions agree. Those without topics that come before the first with some are overlooked.
fn same_subscriptions(members: &[Candidate]) -> bool {
    let mut subscribed = members.iter().map(|member| &member.topics).skip_while(|topics| topics.is_empty());
    let Some(first) = subscribed.next() else { return true };
    let first: BTreeSet<u32> = first.iter().copied().collect();
    subscribed.all(|topics| topics.len() == first.len() && first.is_subset(&topics.iter().copied().collect()))
}

/// Who may keep what.
pub(super) struct Claims {
    /// For each member what it holds by right: of two who claim one partition, the later generation's.
    pub kept: Vec<Vec<Part>>,
    /// Claimed by two of one generation: nobody's.
    pub contested: BTreeSet<Part>,
    pub last_generation: i32,
}

impl Claims {
    fn of(counts: &[u32], members: &[Candidate]) -> Claims {
        let mut owner: BTreeMap<Part, usize> = BTreeMap::new();
        let mut kept: Vec<Vec<Part>> = vec![Vec::new(); members.len()];
        let mut contested = BTreeSet::new();
        for (place, member) in members.iter().enumerate() {
            for part in &member.owned {
                if counts.get(part.0 as usize).is_none_or(|count| part.1 >= *count && *count == 0) {
                    continue;
                }
                match owner.get(part).copied() {
                    None => {
                        owner.insert(*part, place);
                        kept[place].push(*part);
                    }
                    Some(other) if members[other].generation == member.generation => {
                        contested.insert(*part);
                        take_one(&mut kept[other], *part);
                        owner.insert(*part, place);
                    }
                    Some(other) if members[other].generation < member.generation => {
                        take_one(&mut kept[other], *part);
                        kept[place].push(*part);
                        owner.insert(*part, place);
                    }
                    Some(_) => {}
                }
            }
        }
        let last_generation = members.iter().map(|member| member.generation).max().unwrap_or(-1);
        Claims { kept, contested, last_generation }
    }
}

/// What nobody has, of `all` in its order. Kafka goes through `all` and through what is owned, in the same order, side by
/// side: at a partition that is owned and not there, or owned twice, it looks no further into what is owned, and whatever
/// follows counts as nobody's.
pub(super) fn unassigned<K: Ord>(all: &[Part], shares: &[Vec<Part>], order: impl Fn(Part) -> K) -> Vec<Part> {
    let mut owned: Vec<Part> = shares.iter().flatten().copied().collect();
    owned.sort_by_cached_key(|part| order(*part));
    let mut owned = owned.into_iter().peekable();
    all.iter().copied().filter(|part| owned.next_if_eq(part).is_none()).collect()
}

/// K-S3: everybody subscribed to the same topics.
fn constrained(
    counts: &[u32],
    members: &[Candidate],
    claims: &Claims,
    racks: Option<&Racks>,
) -> (Vec<Vec<Part>>, BTreeMap<Part, usize>) {
    let mut shares: Vec<Vec<Part>> = vec![Vec::new(); members.len()];
    if members.is_empty() {
        return (shares, BTreeMap::new());
    }
    // Whatever topics there are: only those that somebody subscribed to are ever asked for.
    let all = all_parts(counts);
    let least = all.len() / members.len();
    let most = all.len().div_ceil(members.len());
    let with_more = all.len() % members.len();
    let mut over = 0;
    let mut given_up: BTreeSet<Part> = claims.contested.clone();
    let (mut under, mut exact): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for (place, share) in shares.iter_mut().enumerate() {
        let mut own: Vec<Part> = claims.kept[place].clone();
        // What is taken back for its rack does not count as given up: Kafka hands it on at once.
        own.retain(|part| {
            !claims.contested.contains(part) && !racks.is_some_and(|racks| racks.misses(&members[place], *part))
        });
        own.sort_unstable_by_key(|(topic, partition)| (*partition, *topic));
        let keep = if own.len() < least {
            under.push(place);
            own.len()
        } else if own.len() >= most && over < with_more {
            over += 1;
            if over == with_more {
                exact.clear();
            }
            most
        } else {
            if over < with_more {
                exact.push(place);
            }
            least
        };
        given_up.extend(own.split_off(keep));
        *share = own;
    }
    let order = by_id(members);
    let rank = |place: &usize| order.iter().position(|known| known == place);
    under.sort_by_key(rank);
    exact.sort_by_key(rank);
    let mut left = unassigned(&all, &shares, |part| part);
    let mut dealt = Vec::new();
    if let Some(racks) = racks {
        let near = |part: &Part| members.iter().filter(|member| racks.meets(member, *part)).count();
        left.sort_by_key(near);
        let lists = (&mut under, &mut exact);
        dealt = deal_by_rack(&mut left, lists, &mut shares, (least, most), |place, part| {
            racks.meets(&members[place], part)
        });
    }
    let mut exact: VecDeque<usize> = exact.into();
    let mut turn = 0;
    for part in left {
        let place = if under.is_empty() {
            let Some(place) = exact.pop_front() else { break };
            place
        } else {
            turn %= under.len();
            let place = under[turn];
            if shares[place].len() + 1 == least {
                under.remove(turn);
                exact.push_back(place);
            } else {
                turn += 1;
            }
            place
        };
        shares[place].push(part);
        dealt.push((part, place));
    }
    (shares, dealt.into_iter().filter(|(part, _)| given_up.contains(part)).collect())
}

/// Deals out what lies in the racks of members that have room: in turn to those that have too little, else to the first
/// of those that may have one more. Tells who got what.
fn deal_by_rack(
    left: &mut Vec<Part>,
    (under, exact): (&mut Vec<usize>, &mut Vec<usize>),
    shares: &mut [Vec<Part>],
    (least, most): (usize, usize),
    meets: impl Fn(usize, Part) -> bool,
) -> Vec<(Part, usize)> {
    let mut dealt = Vec::new();
    let mut turn = 0;
    left.retain(|part| {
        let next = (0..under.len()).map(|step| (turn + step) % under.len()).find(|at| meets(under[*at], *part));
        let place = if let Some(at) = next {
            let (place, count) = (under[at], shares[under[at]].len() + 1);
            turn = at + 1;
            if count >= least {
                under.remove(at);
                turn = at;
                if count < most {
                    exact.push(place);
                }
            }
            turn = turn.checked_rem(under.len()).unwrap_or(0);
            place
        } else if let Some(at) = exact.iter().position(|place| meets(*place, *part)) {
            let place = exact[at];
            if shares[place].len() + 1 == most {
                exact.remove(at);
            }
            place
        } else {
            return true;
        };
        shares[place].push(*part);
        dealt.push((*part, place));
        false
    });
    dealt
}

#[cfg(test)]
mod tests {
    use super::super::candidate;
    use super::*;

    #[test]
    fn k_s3_subscriptions_without_topics_are_overlooked_before_the_first_with_some() {
        let same = |lists: &[&[u32]]| {
            let members: Vec<Candidate> = lists.iter().map(|topics| candidate("C", topics, &[], -1)).collect();
            same_subscriptions(&members)
        };
        assert!(same(&[&[], &[0, 1], &[1, 0]]));
        assert!(!same(&[&[0, 1], &[], &[1, 0]]));
        assert!(!same(&[&[0, 1], &[0]]));
        assert!(same(&[&[], &[]]));
    }

    #[test]
    fn k_s3_what_two_of_one_generation_claim_is_nobodys() {
        let members = [candidate("a", &[0], &[(0, 0), (0, 1)], 2), candidate("b", &[0], &[(0, 1), (0, 2)], 2)];
        let claims = Claims::of(&[3], &members);
        assert_eq!(claims.kept, [vec![(0, 0)], vec![(0, 2)]]);
        assert_eq!(claims.contested, BTreeSet::from([(0, 1)]));
        // A third of an older generation does not get it either, and one of a newer does.
        let with = |generation| {
            let third = candidate("c", &[0], &[(0, 1)], generation);
            Claims::of(&[3], &[members[0].clone(), members[1].clone(), third]).kept[2].clone()
        };
        assert_eq!((with(1), with(3)), (vec![], vec![(0, 1)]));
    }

    #[test]
    fn k_s3_behind_what_is_owned_and_not_there_all_counts_as_nobodys() {
        let all = [(0, 0), (0, 1), (1, 0), (1, 1)];
        let left = |owned: &[Part]| unassigned(&all, &[owned.to_vec()], |part| part);
        assert_eq!(left(&[(1, 0), (0, 0)]), [(0, 1), (1, 1)]);
        assert_eq!(left(&[(0, 0), (0, 2), (1, 0)]), [(0, 1), (1, 0), (1, 1)]);
        assert_eq!(left(&[(0, 0), (0, 0), (0, 1)]), [(0, 1), (1, 0), (1, 1)], "owned twice");
    }
}
