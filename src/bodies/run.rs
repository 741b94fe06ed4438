//! The memory of messages that take several bodies: each of a run gets its own, by the rules of one.

use super::Access;
use crate::layout::PAGE;
use crate::owner::Owner;
use crate::ring::body::{Run, Tenancy};

impl<T: Tenancy> Access<'_, T> {
    /// As [`find`](Self::find), for a message that takes `count` bodies.
    ///
    /// Only one place in which there are as many is tried: where it lacks memory, and another lacks less, making room serves both.
    #[cold]
    #[inline(never)]
    pub(super) fn find_run(&self, count: usize, position: u64, len: usize, me: Owner) -> Option<usize> {
        let claim = || {
            let any = |_: usize, _: usize| true;
            let of = |suits: &dyn Fn(usize, usize) -> bool| {
                self.pool.claim_run(count, position, self.tenancy, suits, |body| self.let_go(body))
            };
            of(&self.is_warm(len)).or_else(|| of(&any))
        };
        let commit = |run: Run| {
            let is_good = self.commit_run(run, len);
            if !is_good {
                run.bodies().for_each(|body| self.let_go(body));
            }
            is_good.then_some(run.first)
        };
        let run = claim().or_else(|| {
            self.tidy(u64::MAX, u64::MAX, me);
            claim()
        })?;
        if let Some(body) = commit(run) {
            return Some(body);
        }
        // The file system is full; but there may be memory to give back.
        if !self.make_room(len, me) {
            return None;
        }
        commit(claim()?)
    }

    /// Whether there is a run of `count` bodies for `len` bytes, and memory for it, by all that is known; makes room where only memory
    /// is missing.
    pub(super) fn is_run_there(&self, count: usize, len: usize, me: Owner) -> bool {
        let free = || self.free_run(count, len);
        // What the dead were giving back looks like bodies in use.
        let Some(run) = free().or_else(|| {
            self.tidy(u64::MAX, u64::MAX, me);
            free()
        }) else {
            return false;
        };
        let can_commit = |run| self.can_commit(run, len);
        can_commit(run) || (self.make_room(len, me) && free().is_some_and(can_commit))
    }

    /// A run of `count` bodies in nobody's use for `len` bytes, one that has memory if there is one.
    fn free_run(&self, count: usize, len: usize) -> Option<Run> {
        let warm = self.pool.free_run(0, count, self.tenancy, self.is_warm(len));
        warm.or_else(|| self.pool.free_run(0, count, self.tenancy, |_, _| true))
    }

    /// Whether at such a place in the run of `len` bytes a body has the memory it takes.
    fn is_warm(&self, len: usize) -> impl Fn(usize, usize) -> bool {
        let stride = self.bodies.stride;
        move |place, body| self.watermark(body) >= (len as u64 - place as u64 * stride).min(stride)
    }

    /// Makes sure that memory is behind the first `len` bytes of a run that the caller has: in all of each body but the last. Where it
    /// cannot be, some of the bodies may have got theirs.
    pub(super) fn commit_run(&self, run: Run, len: usize) -> bool {
        self.can_commit(run, len) && self.slots.parts(run, len).all(|(body, part)| self.commit(body, part as usize))
    }

    /// Whether the file system has what `len` bytes in a run lack, as far as it says.
    fn can_commit(&self, run: Run, len: usize) -> bool {
        let lacks = |(body, part): (usize, u64)| part.next_multiple_of(PAGE).saturating_sub(self.watermark(body));
        let lacks: u64 = self.slots.parts(run, len).map(lacks).sum();
        run.count == 1 || lacks == 0 || self.segment.available().is_none_or(|bytes| lacks <= bytes)
    }
}
