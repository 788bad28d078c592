//! I21 over layouts made of choices: what is written reads back, and is written again as the same.

use proptest::prelude::*;

use crate::dice::Dice;
use crate::layouts::{Came, hold, layout};
use crate::readers::noise;
use crate::{alone, long};

/// How many of these layouts came to what; most are descriptions that work.
#[test]
fn i21_layouts_that_nobody_thought_of_read_back_what_they_wrote() {
    let _alone = alone();
    let rounds = if long() { 60_000 } else { 1_500 };
    let (mut refused, mut not_written) = (0, 0);
    for number in 0..rounds {
        let bytes = noise(number, 400);
        let mut dice = Dice::new(&bytes);
        let layout = layout(&mut dice);
        match hold(&layout, &mut dice) {
            Came::Refused => refused += 1,
            Came::NotWritten => not_written += 1,
            Came::RoundTrip => {}
        }
    }
    let held = rounds - refused - not_written;
    println!("{rounds} layouts: {held} round trips, {refused} refused, {not_written} not written");
    assert!(held * 10 >= rounds * 6, "too few descriptions work for this to say much");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if long() { 20_000 } else { 300 },
        max_shrink_iters: 20_000,
        // What was found is kept as a description, in tests/format/found.rs.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// The same, where what is found shrinks to the simplest layout that shows it.
    #[test]
    fn i21_a_layout_of_any_choices_holds(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _alone = alone();
        let mut dice = Dice::new(&bytes);
        let layout = layout(&mut dice);
        hold(&layout, &mut dice);
    }
}
