//! The words that a format may use: kinds of messages, the values a field may bind to, the roles
//! of parts. Closed lists: a format that names anything else is refused when it is compiled.

use crate::model::money::Fen;
use crate::model::words;

words! {
    /// What a file or message is for.
    MessageKind {
        PaymentRequest = "payment_request",
        /// The bank took a request in, or refused it.
        Acknowledgement = "acknowledgement",
        StatusQuery = "status_query",
        StatusAnswer = "status_answer",
        /// What became of each payment (回盘).
        Result = "result",
        ReturnQuery = "return_query",
        /// Payments that came back after they were credited or accepted (退票).
        LateReturn = "late_return",
        NoticeQuery = "notice_query",
        /// What became of the SMS for each payment.
        Notice = "notice",
        RefundRequest = "refund_request",
        RefundAnswer = "refund_answer",
        RefundQuery = "refund_query",
        /// What moved on an account of the bank's, as it states it.
        Statement = "statement",
        /// Asks for cards to be opened for payees who have none of this bank.
        AccountRequest = "account_request",
        AccountAnswer = "account_answer",
    }
}

impl MessageKind {
    /// Do we write it, and the bank reads it?
    pub const fn is_ours(self) -> bool {
        matches!(
            self,
            Self::PaymentRequest
                | Self::StatusQuery
                | Self::ReturnQuery
                | Self::NoticeQuery
                | Self::RefundRequest
                | Self::RefundQuery
                | Self::AccountRequest
        )
    }
}

words! {
    /// A value that a field may bind to, in either direction.
    Key {
        /// Our own reference of the attempt.
        Reference = "reference",
        /// The bank's reference of what it received.
        BankReference = "bank_reference",
        /// Tells several files of one kind and reference apart; part of file names.
        Serial = "serial",
        /// How many rows; computed from the rows where a message has them.
        Count = "count",
        /// Their sum; computed from the rows where a message has them.
        Sum = "sum",
        /// When it was written, as a civil date and time of the county.
        Moment = "moment",
        /// 摘要: what the passbook prints.
        Summary = "summary",
        ProgrammeCode = "programme_code",
        ProgrammeName = "programme_name",
        Department = "department",
        Town = "town",
        /// The bank's internal account out of which cards are credited.
        PoolAccount = "pool_account",
        /// Number of the original treasury voucher.
        VoucherNo = "voucher_no",
        /// 文号.
        DocumentNo = "document_no",
        Period = "period",
        RegisterId = "register_id",
        /// The bank's code as finance names it.
        Bank = "bank",
        /// The 1-based row of a payment in its batch.
        Ordinal = "ordinal",
        PayeeName = "payee_name",
        DocumentKind = "document_kind",
        DocumentNumber = "document_number",
        Account = "account",
        Phone = "phone",
        Village = "village",
        Amount = "amount",
        /// The reference of the attempt that first carried a refunded payment.
        OriginalReference = "original_reference",
        /// The bank's code for the whole or for a row; its table gives the meaning.
        Code = "code",
        /// The bank's own words.
        Text = "text",
        /// The bank's code for what became of the SMS.
        NoticeCode = "notice_code",
        /// The bank's own number of one row or event.
        BankSerial = "bank_serial",
        /// Our reference of one payment in its batch, which an answer brings back.
        RowReference = "row_reference",
        /// What a query asks for.
        Section = "section",
        /// How many payments of the batch the bank credited, where a file lists the others alone.
        CreditedCount = "credited_count",
        /// What they add up to.
        CreditedSum = "credited_sum",
        /// How often this bank was sent a file on this day, this one included.
        DaySequence = "day_sequence",
    }
}

/// What a value is made of. It follows from the key, so that a format cannot say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    Text,
    Int,
    /// Money, in fen.
    Amount,
    Moment,
    /// A number with so many digits behind its point; for values of the bank's own alone.
    Decimal(u8),
}

impl Key {
    /// What sort of value it names.
    pub const fn kind(self) -> ValueKind {
        match self {
            Self::Count | Self::Ordinal | Self::DaySequence | Self::CreditedCount => ValueKind::Int,
            Self::Sum | Self::Amount | Self::CreditedSum => ValueKind::Amount,
            Self::Moment => ValueKind::Moment,
            _ => ValueKind::Text,
        }
    }

    /// Is it unknown until a batch is cut and written? The check at intake passes these over.
    pub const fn comes_with_the_batch(self) -> bool {
        matches!(
            self,
            Self::Reference
                | Self::BankReference
                | Self::Serial
                | Self::Count
                | Self::Sum
                | Self::Moment
                | Self::Ordinal
                | Self::DaySequence
                | Self::RowReference
        )
    }

    /// Does the head's value hold for every row that has none of its own? A summary does; a code or
    /// a text of the bank about the whole is none about a row.
    pub const fn is_of_the_whole(self) -> bool {
        matches!(
            self,
            Self::Reference
                | Self::BankReference
                | Self::Moment
                | Self::Summary
                | Self::ProgrammeCode
                | Self::ProgrammeName
                | Self::Department
                | Self::Town
                | Self::PoolAccount
                | Self::VoucherNo
                | Self::DocumentNo
                | Self::Period
                | Self::RegisterId
                | Self::Bank
                | Self::DaySequence
        )
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

words! {
    /// What a part of a message is. The last, committing part makes the bank look at the others.
    PartRole {
        Data = "data",
        Control = "control",
        Message = "message",
        /// Details that a message refers to by their file's name.
        Side = "side",
        /// A file whose mere name says that the others are whole.
        Trigger = "trigger",
    }
}

/// A value of a message: one of the road's own words, or one that this bank alone has and its
/// description gives a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    Key(Key),
    /// Its place among the names of the format.
    Own(usize),
}

impl Slot {
    /// The road's word, where it is one.
    pub const fn key(self) -> Option<Key> {
        match self {
            Self::Key(key) => Some(key),
            Self::Own(_) => None,
        }
    }
}

/// A civil date and time of the county, as files print it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment {
    pub year: i16,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
}

/// One value on its way to or from a bank.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    Text(&'a str),
    Int(i64),
    Amount(Fen),
    Moment(Moment),
    /// Counted in its last digit; how many are behind the point belongs to its name.
    Decimal(i64),
}

/// Where the values of a head or of a row come from.
pub trait Source {
    /// The value of `key`, or nothing where there is none. An empty text counts as none.
    fn get(&self, key: Key) -> Option<Value<'_>>;

    /// A value that the format alone has a name for, by its place among those names.
    fn own(&self, _at: usize) -> Option<Value<'_>> {
        None
    }

    /// Either of the two.
    fn slot(&self, slot: Slot) -> Option<Value<'_>> {
        match slot {
            Slot::Key(key) => self.get(key),
            Slot::Own(at) => self.own(at),
        }
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn get(&self, key: Key) -> Option<Value<'_>> {
        (**self).get(key)
    }

    fn own(&self, at: usize) -> Option<Value<'_>> {
        (**self).own(at)
    }
}

/// One part of a message: a file, or the body of a call.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    pub role: PartRole,
    /// The file's name; empty for a message.
    pub name: String,
    pub bytes: Vec<u8>,
    /// Handing this part over is what makes the bank act (design 4.2).
    pub committing: bool,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Part")
            .field("role", &self.role)
            .field("name", &self.name)
            .field("bytes", &self.bytes.len())
            .field("committing", &self.committing)
            .finish()
    }
}
