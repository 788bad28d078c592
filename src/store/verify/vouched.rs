//! Rows that the journal vouches for one by one: each is the one that its last entry left.

use std::collections::HashSet;

use crate::store::StoreError;
use crate::store::sql::{Work, params};
use crate::store::verify::Verification;
use crate::store::verify::told::Told;
use crate::store::vouch::{self, Vouched};

/// Problems named in one table; how many more there are is said.
const NAMED_MAX: usize = 5;

/// Compares every vouched table with what the journal says of its rows.
pub(super) async fn check_vouched(
    work: &mut Work,
    found: &mut Verification,
    told: &Told,
) -> Result<(), StoreError> {
    for table in vouch::ALL {
        let mut problems = problems_of(work, table, told).await?;
        let more = problems.len().saturating_sub(NAMED_MAX);
        problems.truncate(NAMED_MAX);
        if more > 0 {
            problems.push(format!(
                "{} more rows of {} are not what the journal tells",
                more, table.table
            ));
        }
        found.problems.append(&mut problems);
    }
    Ok(())
}

async fn problems_of(
    work: &mut Work,
    table: &Vouched,
    told: &Told,
) -> Result<Vec<String>, StoreError> {
    let name = table.table;
    let known = told.vouched.get(name);
    let (mut problems, mut seen) = (Vec::new(), HashSet::new());
    let sql = format!("SELECT {} FROM {name} WHERE {}", table.columns, table.rows);
    work.0
        .rows(sql.into(), params![], &mut |row| {
            let (key, digest) = table.word(&table.values(row)?);
            match known.and_then(|known| known.get(&key)) {
                Some(vouchers) if vouchers.iter().any(|v| v.digest.as_ref() == Some(&digest)) => {}
                Some(_) => problems.push(format!("{name} {key} is not what the journal tells")),
                None => problems.push(format!("the journal does not tell of {name} {key}")),
            }
            seen.insert(key);
            Ok(())
        })
        .await?;
    let told = known.into_iter().flatten();
    let left = told.filter(|(_, vouchers)| vouchers.iter().any(|voucher| voucher.digest.is_some()));
    let gone = left.filter(|(key, _)| !seen.contains(*key));
    problems.extend(gone.map(|(key, _)| format!("{name} {key} is gone")));
    Ok(problems)
}
