//! What a bank says without being asked, by calling us.

words! {
    /// What became of one call of a bank. Only what is kept is answered with 200.
    PushCall {
        /// It is durable now.
        Kept = "kept",
        /// The same bytes were durable before.
        Repeated = "repeated",
        /// Whoever called could not show that he is the bank.
        Unproven = "unproven",
        /// More bytes than are taken.
        TooLarge = "too_large",
        /// Another path, another method, packed, or nothing at all.
        Unfit = "unfit",
        /// It broke off, or did not come in time.
        Broken = "broken",
        /// It could not be made durable: the bank calls again.
        Unkept = "unkept",
        /// There was no place for another caller.
        Crowded = "crowded",
    }
}

words! {
    /// Where something is that a bank pushed.
    PushState {
        /// Durable, and nobody has looked at it.
        Waiting = "waiting",
        /// What it says was applied, or held.
        Taken = "taken",
    }
}
