//! What was under way when the process died.

use crate::model::attempt::AttemptEvent;
use crate::store::attempts::{COLUMNS, Conclusion, attempt};
use crate::store::sql::params;
use crate::store::{Store, StoreError};

impl Store {
    /// After a start: what was being sent when the process died may or may not have left (F3 to
    /// F5), so it is unknown, and due to be asked about at once.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn recover_sending(&self, now_ms: i64) -> Result<u64, StoreError> {
        let mut work = self.read().await?;
        let sql = format!(
            "SELECT {COLUMNS} FROM attempt a LEFT JOIN batch b ON b.batch_no = a.batch_no WHERE a.state = 'sending'"
        );
        let mut broken = Vec::new();
        work.0
            .rows(sql.into(), params![], &mut |row| {
                broken.push(attempt(row)?);
                Ok(())
            })
            .await?;
        work.commit().await?;
        for attempt in &broken {
            self.conclude(attempt, &Conclusion::of(AttemptEvent::Lost, Some(now_ms)), now_ms)
                .await?;
        }
        Ok(broken.len() as u64)
    }
}
