//! How a bank answers: what a county and its agent bank agree on beside the bank's messages.

words! {
    /// How the results of a batch come.
    ResultsCome {
        /// In the answer to the batch itself.
        Inline = "inline",
        /// As files of the bank.
        File = "file",
        /// When the bank is asked.
        Query = "query",
        /// The bank calls us.
        Push = "push",
    }
}

words! {
    /// How the bank is asked about a batch of unknown fate (design 4.2).
    AskBy {
        /// By our own reference.
        Reference = "reference",
        /// By the bank's number of the batch; one that the bank gave no number cannot be asked about.
        Batch = "batch",
        /// Nothing is asked: a file of the bank at the end of the day tells of all that it has.
        DayFile = "day_file",
        /// It cannot be asked: two people decide.
        None = "none",
    }
}

words! {
    /// Where the bank says what became of its SMS.
    NoticeSource {
        /// In the rows of its results.
        Result = "result",
        /// As files of its own.
        File = "file",
        /// When it is asked.
        Query = "query",
        /// The bank calls us.
        Push = "push",
        /// Nowhere.
        None = "none",
    }
}

words! {
    /// Where the breaker of a bank is.
    BreakerState {
        /// Everything is sent.
        Closed = "closed",
        /// Nothing is sent until the bank has rested; asking goes on.
        Open = "open",
        /// One batch is sent, to see.
        HalfOpen = "half_open",
    }
}
