//! The format room as its neighbours use it.
use daifa::format::{Format, example};

#[test]
fn the_examples_compile() {
    for name in example::names() {
        let compiled = Format::compile(name, example::example(name).unwrap());
        if let Err(problems) = &compiled {
            panic!("{problems}");
        }
    }
}
