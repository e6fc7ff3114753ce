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
