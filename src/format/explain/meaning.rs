//! What the words of the language mean, for a person who has never seen it. The Chinese term stands
//! beside each, as bank's documents use it.

use crate::format::words::{Key, MessageKind};

/// The direction of a message, and what it is for.
pub(super) const fn message(kind: MessageKind) -> (&'static str, &'static str) {
    const TO: &str = "to the bank";
    const FROM: &str = "from the bank";
    match kind {
        MessageKind::PaymentRequest => (TO, "payments to be credited (代发)"),
        MessageKind::Acknowledgement => (FROM, "the request was taken in, or refused (受理)"),
        MessageKind::StatusQuery => (TO, "asks what became of a request (查询)"),
        MessageKind::StatusAnswer => (FROM, "answers a status query (查询结果)"),
        MessageKind::Result => (FROM, "what became of each payment (回盘)"),
        MessageKind::ReturnQuery => (TO, "asks for payments that came back"),
        MessageKind::LateReturn => {
            (FROM, "payments that came back after they were credited (退票)")
        }
        MessageKind::NoticeQuery => (TO, "asks what became of the SMS"),
        MessageKind::Notice => (FROM, "what became of the SMS for each payment (短信回执)"),
        MessageKind::RefundRequest => (TO, "leftover money goes back to finance (结余退回)"),
        MessageKind::RefundAnswer => (FROM, "answers a refund request"),
        MessageKind::RefundQuery => (TO, "asks what became of a refund"),
        MessageKind::Statement => (FROM, "what moved on an account (对账单)"),
        MessageKind::AccountRequest => (TO, "asks for cards to be opened (开户)"),
        MessageKind::AccountAnswer => (FROM, "answers an account opening request"),
    }
}

/// What a value is.
pub(super) const fn key(key: Key) -> &'static str {
    match key {
        Key::Reference => "reference of this batch, unique for ever (批次号)",
        Key::BankReference => "the bank's own reference of the batch (银行受理号)",
        Key::Serial => "tells several files about one batch apart (序号)",
        Key::Count => "number of payments in the message (总笔数)",
        Key::Sum => "sum of the payments in the message (总金额)",
        Key::CreditedCount => "number of payments that were credited (成功笔数)",
        Key::CreditedSum => "sum of the payments that were credited (成功金额)",
        Key::Moment => "when the message was made (日期时间)",
        Key::Summary => "text printed in the passbook (摘要)",
        Key::ProgrammeCode => "code of the programme (补贴项目编码)",
        Key::ProgrammeName => "name of the programme (补贴项目)",
        Key::Department => "department in charge (主管部门)",
        Key::Town => "town (乡镇)",
        Key::PoolAccount => "internal account that is debited (内部代发账户)",
        Key::VoucherNo => "number of the treasury voucher (凭证号)",
        Key::DocumentNo => "number of the official document (文号)",
        Key::Period => "period of the payment (期间)",
        Key::RegisterId => "number of the electronic register (清册号)",
        Key::Bank => "code of the bank, as finance has it (代发银行)",
        Key::Ordinal => "row of the payment in its batch, from 1 (序号)",
        Key::PayeeName => "name of the account's holder (户名)",
        Key::DocumentKind => "kind of identity document (证件类型)",
        Key::DocumentNumber => "number of the identity document (证件号码)",
        Key::Account => "account or card that is credited (账号)",
        Key::Phone => "phone number for the SMS (手机号)",
        Key::Village => "village (村)",
        Key::Amount => "amount of the payment (金额)",
        Key::OriginalReference => "reference of the batch that first carried it (原批次号)",
        Key::Code => "the bank's code (返回码)",
        Key::Text => "the bank's own words (返回信息)",
        Key::NoticeCode => "the bank's code for the SMS (短信状态)",
        Key::BankSerial => "the bank's number of the row or event (流水号)",
        Key::RowReference => "our reference of this one payment (明细流水号)",
        Key::Section => "what a query asks for",
        Key::DaySequence => {
            "how often this bank was sent a file today, with this one (当日代发次数)"
        }
    }
}
