//! The steps of a path in a document. One goes to an element by its name, and where several have that name
//! perhaps by an attribute that each of them bears: `data[@name='SERVICE_CODE']`.

/// The longest text of an attribute that an element is told by.
const TOLD_BYTES_MAX: usize = 128;

/// One step of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step<'t> {
    pub name: &'t str,
    /// The attribute that tells it from others of its name, and what that says.
    pub by: Option<(&'t str, &'t str)>,
}

impl<'t> Step<'t> {
    /// Reads one step; nothing where the brackets hold anything else than an attribute and its text.
    pub fn parse(text: &'t str) -> Option<Self> {
        let Some((name, condition)) = text.split_once('[') else {
            return Some(Self { name: text, by: None });
        };
        let condition = condition.strip_prefix('@')?.strip_suffix("']")?;
        let (attribute, told) = condition.split_once("='")?;
        let good = !told.is_empty() && told.len() <= TOLD_BYTES_MAX && !told.contains('\'');
        good.then_some(Self { name, by: Some((attribute, told)) })
    }
}

/// The steps of a path, as they are spelled: a `/` between quotes sets nothing apart.
pub(crate) fn steps(path: &str) -> Vec<&str> {
    let mut quoted = false;
    let apart = |sign: char| {
        quoted ^= sign == '\'';
        sign == '/' && !quoted
    };
    path.split(apart).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_a_name_and_perhaps_an_attribute() {
        assert_eq!(steps("Body/d[@k='a/b']/@x"), ["Body", "d[@k='a/b']", "@x"]);
        assert_eq!(Step::parse("Body"), Some(Step { name: "Body", by: None }));
        let by = Some(("k", "a b"));
        assert_eq!(Step::parse("p:d[@k='a b']"), Some(Step { name: "p:d", by }));
        for wrong in
            ["d[", "d[@k]", "d[k='a']", "d[@k='']", "d[@k=\"a\"]", "d[@k='a'", "d[@k='a''b']"]
        {
            assert_eq!(Step::parse(wrong), None, "{wrong}");
        }
    }
}
