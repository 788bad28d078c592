//! A database that is older than what was sent: restored from a backup, or replaced. What it does not
//! know of may have been paid, so sending stops until a person has compared with the bank (F16, I6).

use std::collections::BTreeSet;

use crate::model::alert::AlertKind;
use crate::store::journal::{DAEMON_CHAIN, Entry, bank_chain};
use crate::store::sql::{Work, params};
use crate::store::{Store, StoreError, numbers, vouch};

/// A bank as people call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedBank {
    pub code: String,
    pub name: String,
}

impl Store {
    /// How many entries the journal has in all its chains. It only ever grows, so a smaller number than
    /// was seen before means an older database.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn journal_length(&self) -> Result<i64, StoreError> {
        let sql = "SELECT COALESCE(CAST(SUM(seq) AS BIGINT), 0) FROM journal_head";
        self.look().the(sql, params![], |row| row.int(0)).await
    }

    /// How often anything was handed over to a bank, repeats among it, and the number of the last answer that was kept.
    /// Both only ever grow.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn hand_overs_and_answers(&self) -> Result<(i64, i64), StoreError> {
        let sql = "SELECT COALESCE(CAST(SUM(sends) AS BIGINT), 0), (SELECT COALESCE(MAX(result_no), 0) FROM result) FROM attempt";
        self.look().the(sql, params![], |row| Ok((row.int(0)?, row.int(1)?))).await
    }

    /// Notes the restore epoch of the config. Where it is higher than before, the database was restored: nothing is
    /// sent to any bank until an operator has compared with it, also not to one that comes into the config only
    /// later.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where it is lower than before, else where the database fails.
    pub async fn begin_epoch(
        &self,
        epoch: i64,
        banks: &[NamedBank],
        now_ms: i64,
    ) -> Result<(), StoreError> {
        const NAME: &str = "epoch";
        let kept = self.meta(NAME).await?;
        let before = match &kept {
            None => epoch,
            Some(kept) => kept.parse().map_err(|_| StoreError::Inconsistent {
                what: format!("meta {NAME} is {kept:?}"),
            })?,
        };
        if epoch < before {
            return Err(StoreError::Refused(format!(
                "restore_epoch is {epoch}, and this database was begun with {before}: references would \
                 be used twice; put {before} back"
            )));
        }
        if kept.is_none() {
            self.meta_once(NAME, &epoch.to_string(), now_ms).await?;
        }
        let mut work = self.write().await?;
        if epoch > before {
            let mut entry = Entry::new("restore.adopted", now_ms);
            let sql = "UPDATE meta SET value = $1 WHERE name = $2 AND value = $3";
            let row = params![epoch.to_string(), NAME, kept.unwrap_or_default()];
            if entry.vouched.returned(&mut work, &vouch::META, sql, row).await? != 1 {
                return Err(StoreError::Moved { sql, moved: 0 });
            }
            entry.fact("epoch", epoch).fact("before", before);
            numbers::forget_free(&mut work, &mut entry, now_ms).await?;
            entry.write(&mut work, DAEMON_CHAIN).await?;
        }
        if epoch > 0 {
            for bank in banks {
                stop_once(&mut work, epoch, bank, now_ms).await?;
            }
        }
        self.done(work).await
    }

    /// Stops sending to a bank until an operator's word; says whether it was not stopped before.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn stop_bank(&self, bank: &str, text: &str, now_ms: i64) -> Result<bool, StoreError> {
        self.raise_alert(AlertKind::BankStopped, bank, None, text, now_ms).await
    }

    /// Banks to which nothing is sent until an operator's word.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn stopped_banks(&self) -> Result<BTreeSet<String>, StoreError> {
        Ok(self.standing_alerts(AlertKind::BankStopped).await?.into_iter().collect())
    }

    /// Sending to a bank goes on, at the word of an operator who has compared with it, or knows that it
    /// is well again. Batches whose reference the bank has with other content stay as they are. Says
    /// whether it was stopped or its breaker had counted something.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn resume_bank(
        &self,
        bank: &str,
        by: &str,
        why: &str,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let stopped = self.stopped_banks().await?.contains(bank);
        let mut work = self.write().await?;
        let mut entry = Entry::new("bank.resumed", now_ms);
        let rested = super::breaker::resume(&mut work, &mut entry, bank, now_ms).await?;
        if !stopped && !rested {
            return Ok(false);
        }
        super::alerts::clear(&mut work, AlertKind::BankStopped, bank, now_ms).await?;
        entry.fact("by", by).fact("why", why);
        entry.write(&mut work, &bank_chain(bank)).await?;
        self.done(work).await?;
        Ok(true)
    }
}

/// Stops a bank that was not met since the database was restored, inside a transaction.
async fn stop_once(
    work: &mut Work,
    epoch: i64,
    NamedBank { code, name }: &NamedBank,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    let mut entry = Entry::new("bank.stopped", now_ms);
    let row = params![format!("epoch:{epoch}:{code}"), now_ms.to_string()];
    if entry.vouched.returned(work, &vouch::META, sql, row).await? == 0 {
        return Ok(());
    }
    entry.fact("epoch", epoch);
    entry.write(work, &bank_chain(code)).await?;
    let text = format!(
        "数据库是用备份恢复的（restore_epoch 为 {epoch}），备份之后送出的批次本系统不知道，已停止向{name}发送。请与该行逐批核对；核对无误后，由操作员执行 daifa bank resume {code}"
    );
    stop(work, code, &text, now_ms).await
}

/// Raises the alert that stops a bank, inside a transaction.
pub(super) async fn stop(
    work: &mut Work,
    bank: &str,
    text: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    super::alerts::raise(work, AlertKind::BankStopped, bank, None, None, 0, text, now_ms).await?;
    Ok(())
}
