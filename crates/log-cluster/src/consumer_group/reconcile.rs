//! A member's way from what it owns to what it is to own (K-G8).

use super::group::Member;
use crate::layout::Slot;

/// Where a member stands (K-G8).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub(crate) enum Standing {
    #[default]
    Stable,
    /// It has to give up partitions and has not said that it did.
    UnrevokedPartitions,
    /// Others still own what it is to get.
    UnreleasedPartitions,
}

impl Standing {
    pub fn name(self) -> &'static str {
        match self {
            Standing::Stable => "Stable",
            Standing::UnrevokedPartitions => "UnrevokedPartitions",
            Standing::UnreleasedPartitions => "UnreleasedPartitions",
        }
    }
}

/// The target that members make for: its epoch, and this member's part of it.
pub(super) struct Target<'a> {
    pub epoch: i32,
    pub slots: &'a [Slot],
}

/// One step of a member's reconciliation. `owned` is what the member said it owns, `taken` whether anyone has a
/// partition.
pub(super) fn step(member: &mut Member, target: &Target<'_>, owned: Option<&[Slot]>, taken: &dyn Fn(Slot) -> bool) {
    match member.standing {
        Standing::Stable if member.epoch == target.epoch => {}
        Standing::Stable | Standing::UnreleasedPartitions => next(member, member.epoch, target, owned, taken),
        Standing::UnrevokedPartitions => {
            if !owns(owned, &member.revoking) {
                // What it had to give up is given up: that takes it one epoch on.
                let epoch = target.epoch.min(member.epoch + 1);
                next(member, epoch, target, owned, taken);
            }
        }
    }
}

/// Whether a member has said that it owns some of these; who has said nothing still owns them all.
fn owns(owned: Option<&[Slot]>, these: &[Slot]) -> bool {
    owned.is_none_or(|owned| owned.iter().any(|slot| these.contains(slot)))
}

fn next(member: &mut Member, epoch: i32, target: &Target<'_>, owned: Option<&[Slot]>, taken: &dyn Fn(Slot) -> bool) {
    let (keep, revoke): (Vec<Slot>, Vec<Slot>) = member.assigned.iter().partition(|slot| target.slots.contains(slot));
    let missing = || target.slots.iter().copied().filter(|slot| !keep.contains(slot));
    let free: Vec<Slot> = missing().filter(|slot| !taken(*slot)).collect();
    let unreleased = missing().count() > free.len();
    if !revoke.is_empty() && owns(owned, &revoke) {
        member.standing = Standing::UnrevokedPartitions;
        member.advance(epoch);
        member.assigned = keep;
        member.revoking = revoke;
        return;
    }
    member.standing = if unreleased { Standing::UnreleasedPartitions } else { Standing::Stable };
    member.advance(target.epoch);
    member.assigned = keep;
    member.assigned.extend(free);
    member.assigned.sort_unstable();
    member.revoking.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer_group::Who;

    fn member(epoch: i32, standing: Standing, assigned: &[Slot], revoking: &[Slot]) -> Member {
        let who = Who { id: "m".into(), instance: None };
        let (assigned, revoking) = (assigned.to_vec(), revoking.to_vec());
        Member { epoch, standing, assigned, revoking, ..Member::new(0, &who) }
    }

    /// A step from `member` towards a target, with what it said it owns and what others own.
    fn stepped(mut member: Member, to: (i32, &[Slot]), owned: Option<&[Slot]>, others: &[Slot]) -> Member {
        let own: Vec<Slot> = member.assigned.iter().chain(&member.revoking).copied().collect();
        let target = Target { epoch: to.0, slots: to.1 };
        step(&mut member, &target, owned, &|slot| others.contains(&slot) || own.contains(&slot));
        member
    }

    fn told(member: &Member) -> (i32, Standing, &[Slot], &[Slot]) {
        (member.epoch, member.standing, &member.assigned, &member.revoking)
    }

    #[test]
    fn k_g8_a_stable_member_takes_what_is_free() {
        let at = member(10, Standing::Stable, &[1, 2], &[]);
        assert_eq!(told(&stepped(at.clone(), (10, &[1, 2]), None, &[])), (10, Standing::Stable, &[1, 2][..], &[][..]));
        let more = stepped(at.clone(), (11, &[1, 2, 3, 4]), None, &[4]);
        assert_eq!(told(&more), (11, Standing::UnreleasedPartitions, &[1, 2, 3][..], &[][..]));
        assert_eq!(more.previous, 10);
        let released = stepped(more, (11, &[1, 2, 3, 4]), None, &[]);
        assert_eq!(told(&released), (11, Standing::Stable, &[1, 2, 3, 4][..], &[][..]));
        let none = stepped(at, (11, &[1, 2, 4]), None, &[4]);
        assert_eq!(told(&none), (11, Standing::UnreleasedPartitions, &[1, 2][..], &[][..]));
    }

    #[test]
    fn k_g8_a_member_stays_in_its_epoch_until_it_has_given_up() {
        let at = member(10, Standing::Stable, &[1, 2, 3], &[]);
        let revoking = stepped(at.clone(), (11, &[3, 4]), None, &[]);
        assert_eq!(told(&revoking), (10, Standing::UnrevokedPartitions, &[3][..], &[1, 2][..]));
        // Signs of life that say nothing of what it owns, or too much, do not help.
        for owned in [None, Some(&[2, 3][..])] {
            assert_eq!(stepped(revoking.clone(), (11, &[3, 4]), owned, &[]), revoking);
        }
        let done = stepped(revoking.clone(), (11, &[3, 4]), Some(&[3]), &[]);
        assert_eq!(told(&done), (11, Standing::Stable, &[3, 4][..], &[][..]));
        // The target has moved on meanwhile: one epoch on, and once more.
        let next = stepped(revoking, (13, &[4]), Some(&[3]), &[]);
        assert_eq!(told(&next), (11, Standing::UnrevokedPartitions, &[][..], &[3][..]));
        // What it says that it does not own need not be given up.
        let free = stepped(at, (11, &[3]), Some(&[3]), &[]);
        assert_eq!(told(&free), (11, Standing::Stable, &[3][..], &[][..]));
    }

    #[test]
    fn k_g8_a_member_that_waits_may_have_to_give_up_as_well() {
        let at = member(10, Standing::UnreleasedPartitions, &[1, 2], &[]);
        let next = stepped(at, (11, &[2, 5]), Some(&[1, 2]), &[5]);
        assert_eq!(told(&next), (10, Standing::UnrevokedPartitions, &[2][..], &[1][..]));
    }
}
