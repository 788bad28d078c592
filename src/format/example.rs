//! The example formats, carried in the binary so that the demo works with nothing installed.
//! Their samples stay in `bank-formats/`, where `format check` runs them.

const EXAMPLES: [(&str, &str); 5] = [
    ("example-rural-fixed", include_str!("../../bank-formats/example-rural-fixed/format.toml")),
    ("example-city-xml", include_str!("../../bank-formats/example-city-xml/format.toml")),
    ("example-cmb-xml", include_str!("../../bank-formats/example-cmb-xml/format.toml")),
    ("example-iso20022-03", include_str!("../../bank-formats/example-iso20022-03/format.toml")),
    ("example-iso20022-09", include_str!("../../bank-formats/example-iso20022-09/format.toml")),
];

/// The description of an example format.
pub fn example(name: &str) -> Option<&'static str> {
    EXAMPLES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The names of the example formats.
pub fn names() -> impl Iterator<Item = &'static str> {
    EXAMPLES.iter().map(|(name, _)| *name)
}
