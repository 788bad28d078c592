//! One try to hand a batch or a refund to a bank: the state machine that keeps anybody from being
//! paid twice (design 4, rules 1 to 3).

use crate::model::id::AttemptNo;

words! {
    /// What an attempt carries.
    AttemptKind {
        Payment = "payment",
        Refund = "refund",
    }
}

words! {
    /// Where an attempt is.
    AttemptState {
        /// Durable, and no byte has left.
        Intent = "intent",
        /// Bytes may have left; after a crash this means Unknown.
        Sending = "sending",
        /// The bank has it.
        Accepted = "accepted",
        /// The bank said no to all of it.
        Refused = "refused",
        /// Provably before the commit point: the same bytes may go again.
        NotSent = "not_sent",
        /// At or after the commit point without a clear answer: only asking helps.
        Unknown = "unknown",
        /// The bank has our reference with other content, so this database may be older than what was
        /// sent: nothing goes again, nothing that is said under that reference is taken, and only two
        /// people can say what became of it.
        Stopped = "stopped",
        /// It never left, and never will: what it carried is sent anew, under another reference.
        Closed = "closed",
        /// A refund of a bank that has no message for one: no byte leaves, people carry it out, and two of them say
        /// what became of it.
        ByHand = "by_hand",
    }
}

words! {
    /// What happens to an attempt.
    AttemptEvent {
        /// SENDING is durable; the first byte may leave.
        Start = "start",
        /// The bank has it (or says "duplicate", which means that it had it).
        Accepted = "accepted",
        /// The bank refused all of it.
        Refused = "refused",
        /// It failed provably before the commit point.
        NotSent = "not_sent",
        /// No clear answer, or a crash while sending; or it was not found, and could not be sent again in time.
        Lost = "lost",
        /// The bank does not know our reference, asked after its visibility delay.
        NotFound = "not_found",
        /// The bank has our reference with other content.
        OtherContent = "other_content",
        /// The bank says something else of what it refused: its money is frozen, and two people look.
        AfterAll = "after_all",
        /// Two people decided, with evidence, that the bank has it.
        DecidedReceived = "decided_received",
        /// Two people decided that it never arrived: the same bytes go again.
        DecidedNotReceived = "decided_not_received",
        /// Two people decided that nothing of it was paid or ever will be.
        DecidedNever = "decided_never",
        /// Its bytes are out of date, or somebody wants them otherwise, and provably none of them left.
        Closed = "closed",
    }
}

impl AttemptEvent {
    /// Did two people decide it?
    pub const fn is_decided(self) -> bool {
        matches!(self, Self::DecidedReceived | Self::DecidedNotReceived | Self::DecidedNever)
    }
}

impl AttemptState {
    /// The state after `event`, or nothing where that event must not happen here.
    ///
    /// `NotSent` to `Accepted` is the bank that said "not found" and then answers for it: it had it
    /// all the time (F31), and the same bytes must not go again.
    ///
    /// `Accepted` to `Refused` is the bank that took a file and refused it whole on reading; whoever
    /// applies it also demands that no outcome was applied (store).
    ///
    /// What two people decide ends what no bank can say (design 4, rule 2): of an attempt of unknown
    /// fate everything, of a stopped one only that nothing of it was paid, since what the bank has under
    /// that reference is something else. `Accepted` stays so where they decide that a refund was made.
    /// `Refused` to `Accepted` is a bank that refused and says something else since, or two people who say
    /// that it did it after all: its money is in flight again, so that nothing else is done with it.
    /// Whoever applies it also demands that it still lies where the refusal left it (store).
    pub const fn after(self, event: AttemptEvent) -> Option<Self> {
        use AttemptEvent as E;
        match (self, event) {
            (Self::Intent | Self::NotSent, E::Start) => Some(Self::Sending),
            (Self::Sending | Self::Unknown | Self::NotSent | Self::Accepted, E::Accepted)
            | (Self::Unknown | Self::Accepted | Self::ByHand | Self::Refused, E::DecidedReceived) => {
                Some(Self::Accepted)
            }
            (Self::Refused, E::AfterAll) => Some(Self::Accepted),
            (Self::Sending | Self::Unknown | Self::Accepted, E::Refused) => Some(Self::Refused),
            (Self::Sending, E::NotSent) | (Self::Unknown, E::NotFound | E::DecidedNotReceived) => {
                Some(Self::NotSent)
            }
            // Whoever applies it to what is not sent also demands that it was of unknown fate (flow).
            (Self::Sending | Self::Unknown | Self::NotSent, E::Lost) => Some(Self::Unknown),
            // An answer about what never left was given to whoever sent it before this database.
            (Self::Intent | Self::Sending | Self::Unknown | Self::NotSent, E::OtherContent) => {
                Some(Self::Stopped)
            }
            (Self::Unknown | Self::Accepted | Self::Stopped | Self::ByHand, E::DecidedNever) => {
                Some(Self::Refused)
            }
            // Whoever applies it also demands that it never was of unknown fate (store).
            (Self::Intent | Self::NotSent, E::Closed) => Some(Self::Closed),
            _ => None,
        }
    }

    /// May bytes of this attempt be at the bank, or soon be (I3)?
    pub const fn is_live(self) -> bool {
        !matches!(self, Self::Refused | Self::Closed)
    }

    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Intent => "待发送",
            Self::Sending => "发送中",
            Self::Accepted => "银行已受理",
            // By the bank, or because two people decided that nothing of it was paid.
            Self::Refused => "未受理（银行拒绝或两人裁定）",
            Self::NotSent => "未送达（将重发原件）",
            Self::Unknown => "结果不明，正在查询",
            Self::Stopped => "已停止：银行有同号而内容不同的批次",
            Self::Closed => "已作废（从未送出）",
            Self::ByHand => "须由人工办理",
        }
    }
}

/// Proof that an attempt is durable in state SENDING (I4): only the store makes one, in the verb
/// that commits that state, and sending takes one.
#[derive(Debug)]
pub struct Committed(AttemptNo);

impl Committed {
    /// For the store, after its commit returned.
    pub(crate) const fn after_commit(attempt: AttemptNo) -> Self {
        Self(attempt)
    }

    pub const fn attempt(&self) -> AttemptNo {
        self.0
    }
}

words! {
    /// What a bank's answer about a whole attempt says, once its code is read with the format.
    Answer {
        /// Taken in; results follow.
        Accepted = "accepted",
        /// Still working.
        Processing = "processing",
        /// Finished; the rows of this answer, if any, are final.
        Done = "done",
        /// Nothing of it was or will be done.
        Refused = "refused",
        /// It was there before: the first one was received.
        Duplicate = "duplicate",
        /// It has our reference with other content: what it has is not this.
        OtherContent = "other_content",
        /// The bank does not know our reference.
        NotFound = "not_found",
    }
}

words! {
    /// What asking about an attempt of unknown fate came to, where that did not end it.
    Heard {
        /// The bank could not be asked, or did not answer.
        Silence = "silence",
        /// The question lies in the bank's folder.
        Posted = "posted",
        /// The answer cannot be read, or contradicts what was said before.
        Unclear = "unclear",
        /// It is not found, and it is too early for that to count.
        NotYet = "not_yet",
        /// It is not found, and too late to send it again.
        TooLate = "too_late",
        /// Nothing new of an attempt that the bank has.
        Same = "same",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i2_every_cell_of_the_attempt_table() {
        use AttemptEvent as E;
        use AttemptState as S;
        let moves = [
            (S::Intent, E::Start, S::Sending),
            (S::NotSent, E::Start, S::Sending),
            (S::Sending, E::Accepted, S::Accepted),
            (S::Unknown, E::Accepted, S::Accepted),
            (S::NotSent, E::Accepted, S::Accepted),
            (S::Accepted, E::Accepted, S::Accepted),
            (S::Sending, E::Refused, S::Refused),
            (S::Unknown, E::Refused, S::Refused),
            (S::Accepted, E::Refused, S::Refused),
            (S::Sending, E::NotSent, S::NotSent),
            (S::Unknown, E::NotFound, S::NotSent),
            (S::Sending, E::Lost, S::Unknown),
            (S::NotSent, E::Lost, S::Unknown),
            (S::Unknown, E::Lost, S::Unknown),
            (S::Intent, E::OtherContent, S::Stopped),
            (S::Sending, E::OtherContent, S::Stopped),
            (S::Unknown, E::OtherContent, S::Stopped),
            (S::NotSent, E::OtherContent, S::Stopped),
            (S::Unknown, E::DecidedReceived, S::Accepted),
            (S::Accepted, E::DecidedReceived, S::Accepted),
            (S::Unknown, E::DecidedNotReceived, S::NotSent),
            (S::Unknown, E::DecidedNever, S::Refused),
            (S::Accepted, E::DecidedNever, S::Refused),
            (S::Stopped, E::DecidedNever, S::Refused),
            (S::ByHand, E::DecidedReceived, S::Accepted),
            (S::Refused, E::DecidedReceived, S::Accepted),
            (S::Refused, E::AfterAll, S::Accepted),
            (S::ByHand, E::DecidedNever, S::Refused),
            (S::Intent, E::Closed, S::Closed),
            (S::NotSent, E::Closed, S::Closed),
        ];
        for state in S::ALL {
            for event in E::ALL {
                let expected =
                    moves.iter().find(|(s, e, _)| s == state && e == event).map(|(_, _, to)| *to);
                assert_eq!(state.after(*event), expected, "{state} x {event}");
            }
        }
    }

    #[test]
    fn i2_an_unknown_attempt_is_sent_again_only_through_not_found_or_two_people() {
        for event in AttemptEvent::ALL {
            let next = AttemptState::Unknown.after(*event);
            assert_ne!(next, Some(AttemptState::Sending));
            if next == Some(AttemptState::NotSent) {
                let said = [AttemptEvent::NotFound, AttemptEvent::DecidedNotReceived];
                assert!(said.contains(event), "{event}");
            }
        }
    }

    #[test]
    fn i2_what_the_bank_has_with_other_content_is_never_sent_again() {
        for event in AttemptEvent::ALL {
            let next = AttemptState::Stopped.after(*event);
            assert!(matches!(next, None | Some(AttemptState::Refused)), "{event}: {next:?}");
        }
    }
}
