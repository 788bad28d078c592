//! The contract of the store: one suite, run on SQLite and on PostgreSQL.
//!
//! Every promise is a function that takes a fresh database and knows nothing of which one it is.
//! PostgreSQL is a throw-away cluster of this run (`store/cluster.rs`); where it is not installed its
//! half is skipped and says so, unless `DAIFA_TEST_POSTGRES=required`, as `tests/run` has it.

#[path = "store/base.rs"]
mod base;
#[path = "store/beside.rs"]
mod beside;
#[path = "store/cluster.rs"]
mod cluster;
#[path = "store/deciding.rs"]
mod deciding;
#[path = "store/money_back.rs"]
mod money_back;
#[path = "store/opening.rs"]
mod opening;
#[path = "store/owed.rs"]
mod owed;
#[path = "store/results.rs"]
mod results;
#[path = "store/samples.rs"]
mod samples;
#[path = "store/sending.rs"]
mod sending;
#[path = "store/server.rs"]
mod server;
#[path = "store/taking_in.rs"]
mod taking_in;
#[path = "store/tamper.rs"]
mod tamper;
#[path = "store/walk.rs"]
mod walk;
#[path = "store/watching.rs"]
mod watching;

/// Makes two tests of every promise. One that is not listed is dead code, and does not compile.
macro_rules! on_both {
    ($($topic:ident { $($promise:ident,)+ })+) => {
        mod sqlite {$(
            mod $topic {$(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let base = crate::base::Base::sqlite().await;
                    crate::$topic::$promise(&base).await;
                }
            )+}
        )+}

        mod postgres {$(
            mod $topic {$(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let Some(base) = crate::base::Base::postgres().await else { return };
                    crate::$topic::$promise(&base).await;
                }
            )+}
        )+}
    };
}

on_both! {
    opening {
        f19_a_second_daemon_is_refused_and_a_command_is_not,
        f19_a_daemon_whose_turn_is_over_writes_nothing_more,
        f8_the_tables_of_this_release_open_again_with_what_is_in_them,
        i30_an_older_daemon_refuses_newer_tables,
        a_command_makes_no_database,
        i23_a_database_that_commits_without_waiting_is_refused,
        a_row_that_makes_no_sense_is_named_by_table_and_column,
        a_digest_that_is_none_is_told,
    }
    taking_in {
        f1_a_broken_stream_leaves_nothing_and_the_register_comes_again,
        f2_i25_the_same_again_is_answered_as_before,
        i25_the_same_identity_with_other_content_is_refused_and_told,
        f62_equal_content_under_another_id_is_paid_and_flagged,
        f61_a_higher_revision_takes_over_what_is_unsent_only,
        f61_a_lower_revision_that_comes_late_is_not_paid_beside_the_higher,
        f61_a_refused_revision_takes_nothing_over,
        f61_a_revocation_drops_what_is_unsent_only,
        i25_a_register_is_accepted_or_refused_once,
        f63_a_line_is_in_a_register_once_and_sums_do_not_wrap,
        a_register_of_many_lines_is_kept_whole,
        doubles_are_the_same_person_programme_and_period,
        doubles_are_not_those_of_refused_or_broken_registers,
        a_double_is_set_aside_with_its_register,
        a_decision_about_a_held_payment_is_taken_once,
        standings_say_whether_a_person_may_be_paid_again,
        reissues_are_numbered_along_their_chain,
        i16_the_clock_starts_when_funding_is_known_and_never_moves,
        i16_a_clock_that_runs_is_not_moved_by_late_funding,
        cursors_move_on,
    }
    sending {
        i3_a_range_only_moves_forward,
        i3_two_that_cut_the_same_at_once_make_one_batch,
        i3_a_listed_payment_is_live_in_one_batch,
        i3_a_batch_has_one_attempt_that_may_be_at_the_bank,
        i3_what_was_set_aside_is_in_no_range,
        an_empty_batch_is_never_made,
        i4_the_token_is_given_only_before_anything_left,
        i4_a_stale_hand_gets_no_token_and_concludes_nothing,
        i4_two_that_start_the_same_at_once_get_one_token,
        i5_parts_are_kept_as_they_were_written,
        i6_numbers_never_repeat,
        i6_of_two_that_take_a_number_one_looks_again,
        i6_a_reference_is_used_once_at_a_bank,
        f3_what_was_being_sent_when_the_process_died_is_unknown,
        attempts_are_due_in_their_states_and_times,
        a_bank_s_words_about_the_whole_are_kept,
        i2_only_what_never_left_is_withdrawn,
        i6_a_number_that_was_given_back_is_taken_first_and_once,
        a_refused_batch_is_cut_again_by_command_only,
        a_refused_batch_of_a_revoked_register_is_not_cut_again,
        a_refusal_after_a_revocation_drops_what_comes_back,
        a_bank_cannot_refuse_what_it_answered_for,
        i2_a_result_is_not_taken_where_the_bank_cannot_know_the_attempt,
    }
    results {
        i7_every_answer_moves_its_money_once,
        i9_a_return_moves_the_money_once_and_the_credit_stays_in_history,
        i10_the_same_bytes_again_change_nothing,
        i10_bytes_that_were_taken_are_not_read_again_in_another_way,
        i10_equal_bytes_about_another_batch_are_another_answer,
        i10_bytes_held_as_nobody_s_twice_are_taken_once,
        f34_an_answer_to_an_older_look_opens_nothing_that_is_over,
        i10_shuffled_repeated_and_split_results_end_alike,
        i11_every_ordered_pair_of_answers_folds_alike,
        i11_a_contradiction_in_one_file_freezes_the_payment,
        i12_what_does_not_match_is_put_aside_and_the_rest_applies,
        i12_what_does_not_close_is_held_whole,
        i13_bytes_that_were_held_are_never_counted_as_applied,
        i13_a_result_that_fails_on_the_way_leaves_nothing,
        i13_a_result_that_is_broken_off_is_whole_or_not_there,
        an_answer_accepts_an_attempt_whose_own_answer_was_lost,
        i26_a_notice_is_kept_once_and_moves_no_money,
        what_a_result_said_stays_what_its_report_says,
        i8_a_result_and_a_refund_at_once_do_not_both_have_the_money,
    }
    money_back {
        i7_the_database_refuses_what_does_not_add_up,
        i7_a_reader_sees_conserved_places_while_a_writer_works,
        i7_writers_side_by_side_do_not_stop_each_other,
        i25_one_register_offered_twice_at_once_is_there_once,
        i8_only_free_leftover_goes_back,
        i8_leftover_waits_for_its_time_but_not_for_money_in_flight,
        i8_only_what_was_funded_goes_back,
        a_refund_is_confirmed_once,
        a_refused_refund_frees_its_leftover_and_is_tried_later,
        f34_a_credit_takes_free_leftover_back_and_freezes_it,
        f34_a_credit_after_a_refund_is_disputed_until_a_return,
        f34_a_refund_that_is_refused_after_a_late_credit_leaves_no_money_twice,
        i8_what_a_bank_refused_and_says_more_of_goes_back_by_nobody,
        i8_a_refused_refund_is_taken_back_with_the_payments_that_it_listed,
        i2_only_a_refund_that_never_left_is_withdrawn,
        i15_a_register_is_closed_when_all_has_ended_and_opened_by_a_late_return,
        i15_a_register_that_moved_since_it_was_read_is_not_closed,
        f61_a_closed_register_can_be_revoked_and_nothing_moves,
        a_register_of_a_bank_that_nobody_knows_goes_back_through_another,
    }
    owed {
        f30_an_answer_is_late_once_and_ends_with_the_answer,
        f30_an_answer_that_came_meanwhile_is_not_called_late,
        i18_a_batch_that_nobody_waits_for_is_told,
        f27_a_run_is_counted_and_one_attempt_is_chosen_to_see,
    }
    deciding {
        i31_the_database_refuses_that_one_person_decides_alone,
        f65_a_decision_about_what_moved_on_changes_nothing,
        f65_a_decision_is_proposed_confirmed_and_withdrawn_once,
        f65_two_who_confirm_at_once_carry_it_out_once,
        i2_two_people_end_what_no_bank_can_say,
        i2_a_refund_that_no_bank_answers_for_is_decided,
        i8_a_refund_that_people_carry_out_takes_no_number_and_moves_money_once_two_said_so,
        i2_what_the_bank_has_as_something_else_is_closed_and_cut_again,
        i2_payments_that_were_made_elsewhere_are_decided_one_by_one,
        i11_two_people_settle_every_contradiction_either_way,
        f34_disputed_money_ends_where_there_was_no_credit,
        i12_a_later_answer_settles_what_was_put_aside,
        i12_the_right_answer_told_once_more_settles_what_is_held,
        i12_two_people_settle_what_was_put_aside,
        i12_a_file_about_what_was_refused_before_is_not_settled_by_the_refusal,
        i7_a_decision_is_taken_back_whole_where_it_does_not_fit,
    }
    watching {
        an_alert_is_raised_once_until_it_is_over,
        f50_an_alert_that_stands_follows_what_is_wrong,
        i16_deadline_alerts_rise_and_end_with_the_register,
        a_report_is_due_until_it_is_acknowledged,
        i28_totals_are_those_of_the_registers,
        a_step_that_waits_is_woken_by_a_change,
        pages_lose_and_repeat_nothing,
        i16_the_clock_is_believed_until_it_steps_and_a_person_answers_for_it,
    }
    walk {
        i18_no_table_and_no_column_can_be_changed_unseen,
    }
    tamper {
        i18_every_change_behind_the_daemon_s_back_is_told,
        i19_what_the_journal_alone_cannot_tell_the_head_over_heads_does,
        i18_an_untouched_database_verifies_clean,
    }
}
