//! The road on PostgreSQL: the same tests, run once more with another database under the same
//! steps. Which database a test has is the house's business (`house::DATABASE`), so no test is
//! written twice; all of them, as far as their own SQL reads on both:
//!
//! `DAIFA_TEST_ROAD=postgres cargo test --test road`

use std::process::Command;

use crate::cluster::installed;
use crate::house::DATABASE;

/// What is run each time: the happy road, answers that are lost, answers in any order and any
/// number of times, money that comes back, corrections, deadlines, and practice banks that judge by
/// their own books.
const SELECTED: &[&str] = &[
    "i1_practice_banks_that_behave",
    "i1_practice_banks_that_lose_answers",
    "i1_practice_banks_that_lose_batches_before_their_book",
    "f1_a_broken_stream_leaves_nothing_and_is_taken_later",
    "f2_the_same_again_is_answered_as_before",
    "f61_a_higher_revision_takes_over_what_is_unsent",
    "f61_revoked_after_a_part_was_sent",
    "f63_count_sum_or_digest_that_do_not_match",
    "i25_the_same_identity_with_other_content_is_refused_and_journalled",
    "a_single_payment_is_set_aside_and_the_rest_goes",
    "doubles_across_registers_programmes_and_periods",
    "released_payments_go_out_in_a_batch_that_lists_them",
    "f4_a_crash_in_the_middle_of_sending_is_asked_about",
    "f5_a_crash_behind_sending_is_asked_about",
    "f24_what_was_not_sent_goes_again_with_the_same_bytes",
    "f25_an_answer_that_is_lost_is_asked_for",
    "f29_duplicate_means_that_the_first_was_received",
    "i2_not_found_counts_only_after_the_visibility_delay",
    "a_refused_batch_waits_for_an_operator_and_is_paid_once",
    "a_refund_without_an_answer_is_asked_about",
    "nothing_is_sent_before_its_register_is_funded",
    "f7_a_crash_between_applying_and_putting_away_changes_nothing",
    "f32_returned_later_goes_back_and_the_account_is_told_again",
    "f33_the_same_results_again_change_nothing",
    "f34_a_credit_that_comes_after_the_refund_is_disputed",
    "f35_credited_and_then_failed_is_frozen",
    "f36_an_unknown_row_is_put_aside_while_the_rest_applies",
    "f38_f39_a_file_that_does_not_close_is_held_whole",
    "i8_a_late_credit_while_the_refund_is_under_way",
    "i10_any_order_of_files_ends_in_one_state",
    "i16_it_is_frozen_with_the_batch_and_survives_a_restart",
    "reports_are_repeated_with_the_same_bytes_until_they_are_taken",
    "a_failed_payment_is_released_again_and_its_chain_is_kept",
    "i8_settle_time_gives_back_what_is_leftover_and_leaves_what_is_in_flight",
    "the_closing_account_says_what_became_of_everything",
    "f27_three_answers_that_are_none_stop_the_sending_and_one_batch_goes_to_see",
    "f30_results_that_do_not_come_are_missed_by_their_time_and_end_with_the_answer",
    "i1_a_refused_batch_of_which_more_is_said_is_frozen_until_two_people_decide",
    "i1_what_a_revision_took_over_is_set_aside_where_the_bank_says_more_of_it",
    "i1_what_a_revision_could_not_send_yet_is_withdrawn_and_set_aside",
    "i1_what_was_cut_anew_stays_here_where_the_bank_says_more_of_what_it_refused",
    "i1_nothing_leaves_that_may_have_been_paid_under_an_earlier_revision",
    "i8_what_a_revision_took_over_does_not_go_back_while_it_may_be_paid",
    "i8_a_refused_refund_of_which_more_is_said_is_frozen_until_two_people_decide",
    "i8_what_did_not_leave_of_a_revision_that_was_taken_back_is_leftover_that_waits",
    "f61_what_failed_in_a_batch_that_was_doubted_once_is_paid_by_a_later_revision",
    "f31_a_second_credit_that_shows_up_after_a_resend_is_told_of_and_two_people_look",
    "f31_what_takes_a_second_credit_back_moves_no_money",
];

#[test]
fn the_road_runs_on_postgresql() {
    if installed().is_none() {
        return;
    }
    let out = Command::new(std::env::current_exe().expect("this program"))
        .env(DATABASE, "postgres")
        .arg("--test-threads=2")
        .args(SELECTED)
        .output()
        .expect("the tests run again");
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{said}\n{}", String::from_utf8_lossy(&out.stderr));
    // A test that was renamed would not be missed by anybody else.
    let passed = format!("test result: ok. {} passed", SELECTED.len());
    assert!(said.contains(&passed), "{passed} was expected:\n{said}");
}
