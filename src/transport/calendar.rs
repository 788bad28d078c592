//! Which days a bank works: the week, and what the State Council's yearly notice takes from it and adds to
//! it (调休: a Saturday or Sunday that is worked).
//!
//! These days are announced each year and follow from no rule, so they are a file that the operator keeps,
//! with the source of each year in it: `systemd/calendar.toml` has the years whose notice was at hand. None is
//! guessed: that would be wrong on the days that matter. A year that the file does not have is a year of plain
//! weeks, and that is said.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Weekday};
use serde::Deserialize;

/// The days of some years.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Calendar {
    years: BTreeMap<i16, Year>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Year {
    closed: BTreeSet<Date>,
    worked: BTreeSet<Date>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    #[serde(default)]
    year: Vec<YearText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct YearText {
    year: i16,
    /// Where these days were announced.
    source: String,
    /// Days of the week that are holidays.
    closed: Vec<String>,
    /// Saturdays and Sundays that are worked.
    worked: Vec<String>,
}

impl Calendar {
    /// Reads the text of a calendar file.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its year.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let file: FileText = toml::from_str(text).map_err(|e| vec![e.to_string()])?;
        let (mut years, mut problems) = (BTreeMap::new(), Vec::new());
        for text in file.year {
            let number = text.year;
            let mut wrong = |what: String| problems.push(format!("year {number}: {what}"));
            if text.source.trim().is_empty() {
                wrong("source: name the notice that these days are from".to_owned());
            }
            let closed = days(number, "closed", &text.closed, &mut wrong);
            let worked = days(number, "worked", &text.worked, &mut wrong);
            for day in &worked {
                if !is_weekend(*day) {
                    wrong(format!("worked: {day} is no Saturday or Sunday, and worked anyway"));
                }
                if closed.contains(day) {
                    wrong(format!("{day} is both closed and worked"));
                }
            }
            if years.insert(number, Year { closed, worked }).is_some() {
                problems.push(format!("year {number} is there twice"));
            }
        }
        if problems.is_empty() { Ok(Self { years }) } else { Err(problems) }
    }

    /// The years of which more is known than their weeks.
    pub fn years(&self) -> BTreeSet<i16> {
        self.years.keys().copied().collect()
    }

    /// Does a bank work on this day?
    pub fn is_worked(&self, day: Date) -> bool {
        let year = self.years.get(&day.year());
        match year {
            Some(year) if year.worked.contains(&day) => true,
            Some(year) if year.closed.contains(&day) => false,
            _ => !is_weekend(day),
        }
    }
}

fn days(year: i16, key: &str, texts: &[String], wrong: &mut impl FnMut(String)) -> BTreeSet<Date> {
    let mut found = BTreeSet::new();
    for text in texts {
        match text.parse::<Date>() {
            Ok(day) if day.year() != year => wrong(format!("{key}: {text} is of another year")),
            Ok(day) if !found.insert(day) => wrong(format!("{key}: {text} is there twice")),
            Ok(_) => {}
            Err(_) => wrong(format!("{key}: {text:?} is no day like \"2026-11-23\"")),
        }
    }
    found
}

fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shipped years close on as many weekdays more than they work at weekends as there are statutory holidays:
    /// one that falls on a weekend is made up for (全国年节及纪念日放假办法, 13 days since 2025).
    #[test]
    fn every_year_that_ships_has_its_thirteen_days() {
        let calendar = Calendar::parse(include_str!("../../systemd/calendar.toml")).expect("good");
        assert!(calendar.years().contains(&2026));
        for (number, year) in &calendar.years {
            let weekdays = year.closed.iter().filter(|day| !is_weekend(**day)).count();
            assert_eq!(weekdays.checked_sub(year.worked.len()), Some(13), "{number}");
        }
        let worked = |day: &str| calendar.is_worked(day.parse().expect("a day"));
        for (day, open) in [
            ("2026-02-13", true),
            ("2026-02-14", true),
            ("2026-02-23", false),
            ("2026-02-24", true),
            ("2026-05-05", false),
            ("2026-09-20", true),
            ("2026-10-08", true),
            ("2026-10-10", true),
            ("2026-10-11", false),
        ] {
            assert_eq!(worked(day), open, "{day}");
        }
    }

    /// Invented days: no notice says these.
    const EXAMPLE: &str = r#"
        [[year]]
        year = 2031
        source = "EXAMPLE, invented: no notice says this"
        closed = ["2031-05-01", "2031-05-02"]
        worked = ["2031-05-10"]
    "#;

    fn day(text: &str) -> Date {
        text.parse().expect("a day")
    }

    #[test]
    fn holidays_are_not_worked_and_moved_weekends_are() {
        let calendar = Calendar::parse(EXAMPLE).expect("reads");
        for (text, worked) in [
            ("2031-04-30", true),  // a Wednesday
            ("2031-05-01", false), // a holiday
            ("2031-05-02", false), // a holiday
            ("2031-05-03", false), // a Saturday
            ("2031-05-05", true),  // a Monday
            ("2031-05-10", true),  // a Saturday that is worked
            ("2031-05-11", false), // a Sunday
            ("2032-05-01", false), // a Saturday of a year that is not known
            ("2032-05-03", true),  // a Monday of it
        ] {
            assert_eq!(calendar.is_worked(day(text)), worked, "{text}");
        }
        assert!(calendar.years().contains(&2031) && !calendar.years().contains(&2032));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let bad = EXAMPLE
            .replace("EXAMPLE, invented: no notice says this", " ")
            .replace("\"2031-05-02\"", "\"2030-05-02\", \"2031-05-10\", \"soon\"")
            .replace("worked = [", "worked = [\"2031-05-12\", ");
        let problems = Calendar::parse(&bad).expect_err("bad").join("\n");
        for word in ["source", "another year", "\"soon\"", "2031-05-12 is no Sat", "both"] {
            assert!(problems.contains(word), "{word}: {problems}");
        }
        let twice = format!("{EXAMPLE}{EXAMPLE}");
        assert!(Calendar::parse(&twice).expect_err("bad")[0].contains("twice"));
        assert!(Calendar::parse("[[year]]\nyear = 2031").is_err(), "keys are missing");
        assert_eq!(Calendar::parse(""), Ok(Calendar::default()));
    }
}
