//! Deliberate mistakes, one for each rule that the protocol rests on: to prove that its models and its tests would find them.
//!
//! The loom models, the explorer and the torture test seed them; in every other build the question whether to make one is
//! the constant "no".

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mutant {
    /// A receiver that goes round a slow writer takes the first message of its first scan.
    SinglePass = 1,
    /// A receiver that goes round a slow writer takes what stands at the end of its first scan, whatever it saw there.
    Unseen,
    /// A receiver passes a slot being filled as soon as it was skipped, though its message will still carry the older lap.
    PassWriting,
    /// A sender passes over a held slot though nothing can be claimed beyond.
    Unproductive,
    /// A receiver reads a slot's word before its skip.
    WordFirst,
    /// A sender reads a slot's skip before its word.
    SkipFirst,
    /// A claimer does not look whether its position was passed over meanwhile.
    Unchecked,
    /// A sender passes over a position and does not tell claimers to look.
    Unraised,
    /// A sender passes over a position and tells claimers to look only afterwards.
    RaiseLate,
    /// A receiver jumps as far as a sender may.
    JumpFar,
    /// A receiver leaves a message of an older lap where it is.
    IgnoreOlder,
    /// A sender publishes a slot, then fills it.
    PublishFirst,
    /// A receiver acknowledges a message, then reads it.
    AcknowledgeFirst,
    /// Whoever takes a message over from the dead does not say that it comes again.
    Unflagged,
    /// A claim of the dead is left as it is.
    Unreaped,
    /// A message that a dead receiver held is left as it is.
    Unadopted,
    /// Somebody slow is taken for dead.
    Impatient,
    /// A sender looks for sleepers, then publishes.
    WakeFirst,
    /// Of all sleepers one is woken.
    WakeOne,
    /// A body is claimed without a look whether somebody else just did.
    BlindClaim,
    /// A body whose memory somebody died giving back is taken for one with memory.
    TrustTrimmer,
    /// A message of the dead is made anybody's by a plain store, though somebody may have adopted it meanwhile.
    Overwritten,
    /// A place is handed on while claims still name its former owner.
    Unfreed,
    /// A message of the dead that is made anybody's forgets how often it was delivered.
    Forgiven,
    /// A body is taken to give its memory back without a look whether it is in use.
    ForgetfulSeize,
    /// A receiver gives memory back, then acknowledges the message in it.
    GiveBackFirst,
    /// A body is said to have memory, then it gets it.
    WatermarkFirst,
    /// A body is set free, then it is said that its memory is gone.
    ReleaseFirst,
    /// A body gets memory, and nobody is warned that there may be more than it says.
    Unmarked,
    /// A successor in the role of an spsc sender leaves its predecessor's bodies as they are.
    Unreleased,
    /// A receiver counts a body as idle, then acknowledges the message in it.
    CountFirst,
    /// A body's memory is given back, then that is counted.
    LateGift,
    /// Somebody looks what is idle, then reads how much was left.
    LateLook,
    /// A body that is being given back is not counted as idle any more.
    GoneAtOnce,
    /// A sender that loses a body of a run keeps what it had claimed of it.
    KeepLost,
    /// A sender takes its known head for one further than it is.
    KnownTooFar,
}
