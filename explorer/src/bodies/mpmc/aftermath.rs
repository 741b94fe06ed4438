//! After the death of all: what strangers find.
//!
//! All that was sent and not acknowledged is there, each message whole in its body. Then every slot takes a message
//! with a body, whether somebody has tidied up or not; and if somebody has, no memory is left. The verdict is given
//! once for all the states that differ only in how far the processes were.

use super::{STRANGE, State, World, bit};
use crate::bodies::{Aim, Came, Description, Hand, Room};
use crate::owner::Owner;
use crate::ring::mpmc::Miss;
use crate::search::{Print, Verdict};
use crate::sync::{self, DEAD, Memory, Private};

impl World {
    /// All are killed; strangers come.
    pub(super) fn settle(&mut self, state: &State) -> Result<(), Verdict> {
        let mut memory = state.memory;
        memory[DEAD] = 0;
        let mut print = Print::default();
        memory.iter().for_each(|&cell| print.add(cell));
        state.room.digest(&mut print);
        print.add(u64::from(state.committed) << 16 | u64::from(state.acknowledged));
        if !self.settled.insert(print.finish()) {
            return Ok(());
        }
        memory[DEAD] = u64::from(u8::MAX);
        let mut room = state.room;
        let (receiver, sender) = (Owner::new(8, 1), Owner::new(9, 1));
        let owed = state.committed & !state.acknowledged;
        let found = self.drain(&mut memory, &mut room, receiver)?;
        if found != owed {
            return Err(Verdict::Lost);
        }
        // What is there is found by whoever looks, and nothing else is there.
        let (mut tidied, mut emptied) = (memory, room);
        let mut hand = Hand::new();
        hand.start(Aim::Tidy, 1, self.scenario.bodies);
        hand.finish(&mut tidied, &mut emptied, &self.pool, &self.known, (receiver, 0));
        if emptied.is_there.contains(&true) {
            return Err(Verdict::Leaked);
        }
        self.fill(&mut tidied, &mut emptied, (sender, receiver))?;
        // And whether somebody looks or not, all goes on.
        self.fill(&mut memory, &mut room, (sender, receiver))
    }

    /// Takes all that is there.
    fn drain(&self, memory: &mut Memory, room: &mut Room, me: Owner) -> Result<u16, Verdict> {
        let (core, cursor) = (&self.known.0, Private::new(0));
        let mut found = 0;
        for _ in 0..20 {
            let taken = sync::alone(memory, || match core.take(&cursor, me, &self.known) {
                Err(Miss::NotNow) => Ok(core.sweep(me, &self.known)),
                taken => taken.map(Some),
            });
            match taken {
                Err(_) => return Err(Verdict::Corrupt),
                Ok(None) => return Ok(found),
                Ok(Some(taken)) => {
                    room.read(taken.index, 0)?;
                    room.read(taken.index, 1)?;
                    let message = room.slots[taken.index].message;
                    found |= if message < STRANGE { bit(message) } else { 0 };
                    sync::alone(memory, || core.acknowledge(taken));
                }
            }
        }
        Err(Verdict::Broken)
    }

    /// Every slot takes a message with a body, the first one with two where there are any for such, and gives it again.
    fn fill(&self, memory: &mut Memory, room: &mut Room, (me, receiver): (Owner, Owner)) -> Result<(), Verdict> {
        let (core, cursor) = (&self.known.0, Private::new(0));
        // Once round the positions that the dead had.
        let first = sync::alone(memory, || core.claim(&cursor, me, &self.known)).map_err(|_| Verdict::Broken)?;
        sync::alone(memory, || core.abort(first));
        let mut claims = Vec::new();
        for _ in 0..self.scenario.slots {
            match sync::alone(memory, || core.claim(&cursor, me, &self.known)) {
                Ok(claim) => claims.push(claim),
                Err(Miss::NotNow) => break,
                Err(Miss::Corrupt) => return Err(Verdict::Corrupt),
            }
        }
        if claims.len() as u64 != self.scenario.slots {
            return Err(Verdict::Broken);
        }
        for (number, &claim) in claims.iter().enumerate() {
            let mut hand = Hand::new();
            let is_long = number == 0 && self.scenario.singles < self.scenario.bodies;
            hand.start(Aim::Obtain, 1 + usize::from(is_long), self.scenario.bodies);
            let position = self.claim_position(Some(claim));
            let Came::With(run) = hand.finish(memory, room, &self.pool, &self.known, (me, position)) else {
                return Err(Verdict::Leaked);
            };
            let message = STRANGE + number as u8;
            (0..2).try_for_each(|half| room.write(run, half, message))?;
            room.slots[claim.index] = Description::new(run, message);
            sync::alone(memory, || core.commit(claim));
        }
        self.drain(memory, room, receiver).map(|_| ())
    }
}
