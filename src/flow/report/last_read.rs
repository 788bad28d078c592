//! What reports are made of, kept from one recipient to the next.

use crate::flow::{Ctx, FlowError};
use crate::model::id::ResultNo;
use crate::model::notice::NoticeState;
use crate::store::reports::{OutcomeRow, ResultHead};

/// What a result said, as it was read last: it is told to several recipients one after the other.
#[derive(Default)]
pub(super) struct LastRead {
    results: Option<(i64, ResultHead, Vec<OutcomeRow>)>,
    notices: Option<(i64, ResultHead, Vec<NoticeOf>)>,
}

/// Line, town, and what became of the SMS.
pub(super) type NoticeOf = (i64, i64, NoticeState);

impl LastRead {
    /// What a result newly said about payments.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn results(
        &mut self,
        ctx: &Ctx,
        result: i64,
    ) -> Result<(&ResultHead, &[OutcomeRow]), FlowError> {
        if self.results.as_ref().is_none_or(|(known, ..)| *known != result) {
            // The one before is let go first: two of ten thousand payments are a lot of memory.
            self.results = None;
            let (head, rows) = ctx.store.outcome_rows(ResultNo(result)).await?;
            self.results = Some((result, head, rows));
        }
        let (_, head, rows) = self.results.as_ref().expect("it was just put there");
        Ok((head, rows))
    }

    /// What a result newly said about SMS.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn notices(
        &mut self,
        ctx: &Ctx,
        result: i64,
    ) -> Result<(&ResultHead, &[NoticeOf]), FlowError> {
        if self.notices.as_ref().is_none_or(|(known, ..)| *known != result) {
            self.notices = None;
            let (head, rows) = ctx.store.notice_rows(ResultNo(result)).await?;
            self.notices = Some((result, head, rows));
        }
        let (_, head, rows) = self.notices.as_ref().expect("it was just put there");
        Ok((head, rows))
    }
}
