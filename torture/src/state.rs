//! What workers do and are told to do.

/// What a worker is doing, as it says before it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum State {
    Starting,
    Idle,
    Sending,
    SendingMany,
    Lending,
    AwaitingAcks,
    Receiving,
    ReceivingMany,
    ReceivingInto,
    Holding,
    Acknowledging,
    Rejecting,
    Forking,
    Executing,
    Leaving,
}

impl State {
    pub const ALL: [Self; 15] = [
        Self::Starting,
        Self::Idle,
        Self::Sending,
        Self::SendingMany,
        Self::Lending,
        Self::AwaitingAcks,
        Self::Receiving,
        Self::ReceivingMany,
        Self::ReceivingInto,
        Self::Holding,
        Self::Acknowledging,
        Self::Rejecting,
        Self::Forking,
        Self::Executing,
        Self::Leaving,
    ];

    pub fn of(number: u64) -> Self {
        *Self::ALL.get(number as usize).unwrap_or(&Self::Starting)
    }
}

/// What the controller wants of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Order {
    GoOn,
    Fork,
    Exec,
    Panic,
    Finish,
}

impl Order {
    pub fn of(number: u64) -> Self {
        let all = [Self::GoOn, Self::Fork, Self::Exec, Self::Panic, Self::Finish];
        *all.get(number as usize).unwrap_or(&Self::GoOn)
    }
}
