//! The operators who decide together what no bank can say.

use serde::Deserialize;

use crate::config::{Problem, Secret, entries};

/// The most characters of an operator's name.
const NAME_CHARS_MAX: usize = 40;

/// Somebody who may propose and confirm.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// As the journal names them.
    pub name: String,
    /// What `daifa decide credential` made of what they alone know.
    pub secret: Secret,
}

/// What does not fit together: two names that read alike are one person, and one alone decides nothing.
pub(super) fn problems(operators: &[Operator]) -> Vec<Problem> {
    let mut out = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for (operator, key) in operators.iter().zip(entries("operator")) {
        let name = operator.name.to_lowercase();
        if !is_name(&name) {
            let what = format!(
                "{:?} is not 1 to {NAME_CHARS_MAX} letters, digits, - and _",
                operator.name
            );
            out.push(Problem::new(format!("{key}.name"), what));
        }
        if names.contains(&name) {
            let what = format!("{:?} is there twice", operator.name);
            out.push(Problem::new(format!("{key}.name"), what));
        }
        names.push(name);
        let twice = operators.iter().filter(|other| same(&other.secret, &operator.secret)).count();
        if twice > 1 {
            let what = "is another operator's too; each has a credential of their own";
            out.push(Problem::new(format!("{key}.secret"), what));
        }
    }
    if operators.len() == 1 {
        let what = "one operator alone decides nothing; name a second one, or none";
        out.push(Problem::new("operator", what));
    }
    out
}

/// May an operator be called so?
fn is_name(name: &str) -> bool {
    let plain = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '_';
    (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && name.chars().all(plain)
}

fn same(one: &Secret, other: &Secret) -> bool {
    (&one.file, &one.credential) == (&other.file, &other.credential)
}
