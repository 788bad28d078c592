//! The page of what banks said and nobody could use: what waits for a later answer or for two people,
//! and by what the rest was settled.

use askama::Template;

use crate::clock::local_text;
use crate::model::id::ResultNo;
use crate::store::quarantine::{Aside, QuarantinePage, SettledBy};
use crate::web::batch::{cause_name, result_name};
use crate::web::parts::{Badge, Frame, Head, Tone, grouped};

/// Something that was put aside.
struct Item {
    /// As `daifa decide` names it.
    what: String,
    bank: String,
    name: String,
    cause: String,
    detail: String,
    batch: Option<String>,
    line: Option<i64>,
    at: String,
    state: Badge,
    settled_at: String,
}

impl Item {
    fn of(aside: &Aside, frame: &Frame) -> Self {
        let held = aside.row == 0;
        let state = match aside.settled.map(|(by, _)| by) {
            None => Badge::new(Tone::Warn, "待核对"),
            Some(SettledBy::Decision(no)) => Badge::new(Tone::Good, format!("两人核定 {no}")),
            Some(SettledBy::Result(no)) if no == aside.result => {
                Badge::new(Tone::Good, "该批已关闭")
            }
            Some(SettledBy::Result(no)) => Badge::new(Tone::Good, format!("{no} 已更正")),
        };
        Self {
            what: if held {
                aside.result.to_string()
            } else {
                format!("{}.{}", aside.result, aside.row)
            },
            bank: frame.bank(&aside.bank),
            name: result_name(&aside.name),
            cause: if held {
                "整份暂扣".to_owned()
            } else {
                cause_name(&aside.cause).to_owned()
            },
            detail: aside.detail.clone(),
            batch: aside.batch.map(|no| no.to_string()),
            line: aside.line,
            at: local_text(aside.at_ms),
            state,
            settled_at: aside.settled.map_or_else(String::new, |(_, at)| local_text(at)),
        }
    }
}

/// Which page is shown: behind a line of a result, of all or only of what waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown {
    pub before: Option<(ResultNo, i64)>,
    pub all: bool,
}

impl Shown {
    /// Reads `E9.4`, where a page before this one ended; 0 is the result as a whole.
    pub fn parse(text: &str) -> Option<(ResultNo, i64)> {
        let (result, row) = text.split_once('.')?;
        let plain = !row.is_empty() && row.bytes().all(|b| b.is_ascii_digit());
        Some((ResultNo::parse(result)?, plain.then(|| row.parse().ok())??))
    }
}

#[derive(Template)]
#[template(path = "quarantine.html")]
struct Page {
    head: Head,
    items: Vec<Item>,
    open: String,
    none_open: bool,
    all: bool,
    later: bool,
    next: Option<String>,
}

/// Draws the page.
///
/// # Errors
/// Where the template cannot be written out.
pub fn render(page: &QuarantinePage, shown: Shown, frame: &Frame) -> askama::Result<String> {
    let last = page.items.last().filter(|_| page.more);
    Page {
        head: frame.head("待核对的银行答复".to_owned(), Some(60)),
        items: page.items.iter().map(|aside| Item::of(aside, frame)).collect(),
        open: grouped(page.open),
        none_open: page.open == 0,
        all: shown.all,
        later: shown.before.is_some(),
        next: last.map(|aside| format!("{}.{}", aside.result, aside.row)),
    }
    .render()
}

#[cfg(test)]
mod tests {
    use super::Shown;
    use crate::model::id::ResultNo;

    #[test]
    fn where_a_page_ended_reads_back() {
        assert_eq!(Shown::parse("E9.4"), Some((ResultNo(9), 4)));
        assert_eq!(Shown::parse("E9.0"), Some((ResultNo(9), 0)));
        for bad in ["", "E9", "E9.", "E.4", "E9.x", "E9.-1", "9 .4"] {
            assert_eq!(Shown::parse(bad), None, "{bad}");
        }
    }
}
