//! Holds what is agreed with a bank against what its format can say and its door can bring. A gap or a
//! contradiction is told before anything is sent, not by the batch that nobody answers for.

use crate::app::routes::has_folders;
use crate::config::{self, Problem, Span};
use crate::flow::expect::Answers;
use crate::format::{Format, Key, MessageKind as M};
use crate::model::attempt::Answer;
use crate::model::outcome::OutcomeKind;
use crate::model::profile::{AskBy, NoticeSource, ResultsCome};

/// What a bank's config says of its answers, beside what follows from its format.
struct Agreed<'a> {
    bank: &'a config::Bank,
    said: &'a config::Answers,
    format: &'a Format,
    /// Does its door bring files?
    files: bool,
    /// Is it heard when it calls us?
    heard: bool,
    /// Keys in the bank's table.
    problems: Vec<(String, String)>,
}

/// How a bank answers.
///
/// # Errors
/// Every gap and contradiction, each with its key below `place`.
pub fn answers(
    bank: &config::Bank,
    format: &Format,
    place: &str,
    allowed: Span,
) -> Result<Answers, Vec<Problem>> {
    let files = bank.doors().any(|(_, door)| has_folders(door));
    let said = &bank.answers;
    let heard = bank.push.is_some();
    let mut agreed = Agreed { bank, said, format, files, heard, problems: Vec::new() };
    let mut answers = Answers::of(format, files);
    let ms = |span: Option<Span>| span.map(|span| span.0);
    answers.results = said.results().or(answers.results);
    answers.ask = said.ask().unwrap_or(answers.ask);
    answers.notices = said.notices().unwrap_or(answers.notices);
    agreed.reference();
    agreed.results(&answers);
    agreed.credits(&answers);
    agreed.asking(&answers);
    agreed.notices(&answers);
    agreed.times();
    answers.acknowledged_within_ms = ms(said.acknowledged_within);
    // Before the duty is half over, where it is a short one.
    answers.result_within_ms =
        ms(said.result_within).unwrap_or(answers.result_within_ms.min(allowed.0 / 2));
    answers.notice_within_ms = (answers.notices != NoticeSource::None)
        .then(|| ms(said.notice_within).or(answers.notice_within_ms))
        .flatten();
    answers.return_within_ms = ms(said.return_within).or(answers.return_within_ms);
    answers.refund_within_ms = ms(said.refund_within).unwrap_or(answers.refund_within_ms);
    if agreed.problems.is_empty() {
        return Ok(answers);
    }
    let problem = |(key, what)| Problem::new(format!("{place}.{key}"), what);
    Err(agreed.problems.into_iter().map(problem).collect())
}

impl Agreed<'_> {
    fn note(&mut self, key: &'static str, what: impl Into<String>) {
        self.problems.push((format!("answers.{key}"), what.into()));
    }

    /// Does the bank leave files of this kind?
    fn by_file(&self, kind: M) -> bool {
        self.files && !self.format.patterns(kind).is_empty()
    }

    fn can_say(&self, kind: M, answer: Answer) -> bool {
        self.format.answers(kind).any(|(_, meant)| meant == answer)
    }

    fn results(&mut self, answers: &Answers) {
        let asked = matches!(answers.ask, AskBy::Reference | AskBy::Batch);
        match answers.results {
            None if !self.files && !self.format.patterns(M::Result).is_empty() => self.note(
                "results",
                "is missing: the result of the format is a file, and the bank has no door with folders that it \
                 could come by",
            ),
            None => self.note(
                "results",
                "is missing: the format has no result file, no status answer with rows and no acknowledgement \
                 with rows; say how the result of each payment comes (push), or give the format such a message",
            ),
            Some(ResultsCome::File) if !self.by_file(M::Result) => self.note(
                "results",
                "\"file\" needs a door with folders, and a result in the format whose parts have names",
            ),
            Some(ResultsCome::Query) if !asked => {
                self.note("results", "\"query\" and a bank that is not asked do not go together");
            }
            Some(ResultsCome::Query) if !self.format.has_rows(M::StatusAnswer) => {
                self.note("results", "\"query\" needs a status_answer with rows in the format");
            }
            Some(ResultsCome::Inline) if !self.format.has_rows(M::Acknowledgement) => {
                self.note("results", "\"inline\" needs an acknowledgement with rows in the format");
            }
            Some(ResultsCome::Push)
                if !self.format.has_rows(M::Result) && !self.format.has_rows(M::StatusAnswer) =>
            {
                self.note("results", "\"push\" needs a result with rows in the format");
            }
            Some(ResultsCome::Push) if !self.heard => {
                self.note("results", "\"push\" needs a [bank.push]: where the bank is heard");
            }
            Some(_) => {}
        }
    }

    /// What bears no reference of ours is found by nobody, and a repeat of it is taken for new.
    fn reference(&mut self) {
        if self.format.has(M::PaymentRequest)
            && !self.format.asks_for(M::PaymentRequest, Key::Reference)
        {
            let what = "the payment_request of the format bears no reference of ours (key = \"reference\", in a field or \
                        in a file's name): no answer could be matched with it, and a repeat would be taken for new";
            self.problems.push(("format".to_owned(), what.to_owned()));
        }
    }

    /// A bank that has no word for money that arrived: every payment would wait, and be told of, for ever.
    fn credits(&mut self, answers: &Answers) {
        let inline = answers.results == Some(ResultsCome::Inline);
        for kind in [M::Result, M::StatusAnswer, M::Acknowledgement] {
            if kind == M::Acknowledgement && !inline {
                continue;
            }
            let mut codes = self.format.row_codes(kind).peekable();
            if codes.peek().is_some()
                && !self.format.failures_only(kind)
                && !codes.any(|(_, means)| means.outcome == Some(OutcomeKind::Credited))
            {
                let what = format!(
                    "no code of the rows of the format's {kind} means credited: what arrived would stay open for ever"
                );
                self.note("results", what);
            }
        }
    }

    fn asking(&mut self, answers: &Answers) {
        let query = self.format.has(M::StatusQuery);
        let answer = self.format.has(M::StatusAnswer);
        match answers.ask {
            AskBy::Reference | AskBy::Batch if !(query && answer) => self.note(
                "ask",
                "needs a status_query and a status_answer in the format; a bank that cannot be asked is \"none\"",
            ),
            AskBy::Reference if !self.format.asks_for(M::StatusQuery, Key::Reference) => {
                self.note("ask", "\"reference\" needs a status_query that bears our reference");
            }
            AskBy::Batch if !self.format.asks_for(M::StatusQuery, Key::BankReference) => {
                self.note("ask", "\"batch\" needs a status_query that bears the bank_reference");
            }
            AskBy::Reference | AskBy::Batch => self.meanings(),
            AskBy::DayFile if answers.results != Some(ResultsCome::File) => self.note(
                "ask",
                "\"day_file\" needs results = \"file\": the file at the end of the day is one of them",
            ),
            AskBy::None if self.said.ask.is_none() => self.note(
                "ask",
                "is missing, and the format has no status_query: where the bank cannot be asked what became \
                 of a batch, say ask = \"none\" (or \"day_file\"), and two people decide what is unknown",
            ),
            AskBy::DayFile | AskBy::None => {}
        }
    }

    /// What a guess would cost: "not found" taken for the last word too soon, or a repeat taken for new, pays
    /// twice.
    fn windows(&mut self) {
        let said = [
            (
                "visibility_delay",
                self.bank.visibility_delay,
                "how long after a hand-over the bank may still answer \"not found\" about what it has",
            ),
            (
                "duplicate_window",
                self.bank.duplicate_window,
                "for how long the bank knows a repeat by our reference, \"0s\" where it knows none",
            ),
        ];
        for (key, value, what) in said {
            if value.is_none() {
                let what = format!("is missing: {what}; ask the bank");
                self.problems.push((key.to_owned(), what));
            }
        }
    }

    /// The answers without which a question leads nowhere.
    fn meanings(&mut self) {
        self.windows();
        let says = |answer| self.can_say(M::StatusAnswer, answer);
        let lost = says(Answer::NotFound);
        let there = [Answer::Accepted, Answer::Processing].into_iter().any(says);
        let repeats = self.bank.duplicate_window.is_none_or(|window| window > Span(0));
        let known = !repeats
            || !self.format.has(M::Acknowledgement)
            || self.can_say(M::Acknowledgement, Answer::Duplicate);
        if !lost {
            self.note(
                "ask",
                "no code of the format's status_answer means not_found: what never arrived could never go again",
            );
        }
        if !there {
            self.note(
                "ask",
                "no code of the format's status_answer means accepted or processing: what the bank says while it is at \
                 work would be a code that nobody knows",
            );
        }
        if !known {
            self.note(
                "ask",
                "no code of the format's acknowledgement means duplicate: where the same bytes go again and the \
                 bank had them, its answer would be taken for a refusal, and the payments be sent anew",
            );
        }
    }

    fn notices(&mut self, answers: &Answers) {
        let fits = match answers.notices {
            NoticeSource::None => {
                if self.said.notice_within.is_some() {
                    self.note("notice_within", "the bank does not say what became of its SMS");
                }
                return;
            }
            NoticeSource::Query => self.format.has(M::NoticeQuery) && self.format.has(M::Notice),
            NoticeSource::File => self.by_file(M::Notice),
            NoticeSource::Push => self.heard && self.format.has(M::Notice),
            NoticeSource::Result => [M::Result, M::StatusAnswer, M::Acknowledgement]
                .into_iter()
                .any(|kind| self.format.asks_for(kind, Key::NoticeCode)),
        };
        if !fits {
            let what = match answers.notices {
                NoticeSource::Query => "\"query\" needs a notice_query and a notice in the format",
                NoticeSource::File => {
                    "\"file\" needs a door with folders, and a notice in the format whose parts have names"
                }
                NoticeSource::Push => {
                    "\"push\" needs a notice in the format, and a [bank.push]: where the bank is heard"
                }
                NoticeSource::Result | NoticeSource::None => {
                    "\"result\" needs results with a notice_code in the format"
                }
            };
            self.note("notices", what);
        }
    }

    fn times(&mut self) {
        if self.format.has(M::ReturnQuery) && self.bank.return_window.is_none() {
            let what = "is missing: for how long after a hand-over a credit may come back; behind it the bank is not asked \
                        about returns any more; ask the bank";
            self.problems.push(("return_window".to_owned(), what.to_owned()));
        }
        if self.said.acknowledged_within.is_some() && !self.by_file(M::Acknowledgement) {
            self.note(
                "acknowledged_within",
                "needs a door with folders, and an acknowledgement in the format whose parts have names",
            );
        }
        if self.said.return_within.is_some() && !self.format.has(M::ReturnQuery) {
            self.note("return_within", "the format has no return_query: nobody asks about returns");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::format::example;

    const FOLDER: &str = "[bank.door]\nkind = \"directory\"\noutgoing = \"/o\"\nincoming = \"/i\"\n\
                          archive = \"/a\"\nquarantine = \"/q\"\ncontrol_suffix = \".ok\"\n";
    const CALL: &str = "[bank.door]\nkind = \"https\"\nurl = \"https://bank.example/\"\n";

    /// What a bank of this door and format owes, where this stands below `[bank.answers]`.
    fn told(name: &str, text: &str, door: &str, said: &str) -> Result<Answers, Vec<String>> {
        told_without("#", name, text, door, said)
    }

    /// The same, where this key of the bank is not there.
    fn told_without(
        key: &str,
        name: &str,
        text: &str,
        door: &str,
        said: &str,
    ) -> Result<Answers, Vec<String>> {
        let config = format!(
            "data = \"/d\"\n[keys]\ncurrent = 1\nseal = [{{ id = 1, secret = {{ file = \"/s\" }} }}]\n\
             blind = {{ id = 1, secret = {{ file = \"/b\" }} }}\n[[source]]\nname = \"county\"\n\
             url = \"https://finance.example\"\nkey_id = \"k\"\nsecret = {{ file = \"/f\" }}\n\
             [duty]\nstart = \"received\"\nallowed = \"24h\"\npool_bank = \"bank\"\n\
             [[bank]]\ncode = \"bank\"\nname = \"Bank\"\nformat = \"{name}\"\n\
             visibility_delay = \"10m\"\nduplicate_window = \"72h\"\nreturn_window = \"240h\"\n{door}[bank.answers]\n{said}\n"
        );
        let config = config.replace(&format!("\n{key} = "), "\n# ");
        let config = Config::parse(&config).map_err(|problems| problems.0)?;
        let format = Format::compile(name, text).expect("compiles");
        answers(&config.banks[0], &format, "bank.1", config.duty.allowed).map_err(|problems| {
            problems
                .into_iter()
                .map(|problem| format!("{}: {}", problem.key, problem.what))
                .collect()
        })
    }

    fn of(name: &str, door: &str, said: &str) -> Result<Answers, Vec<String>> {
        told(name, example::example(name).expect("it ships"), door, said)
    }

    #[track_caller]
    fn refused(name: &str, door: &str, said: &str, key: &str) {
        let problems = of(name, door, said).expect_err("is refused");
        let named = |problem: &String| problem.contains(&format!("bank.1.answers.{key}: "));
        assert!(problems.iter().any(named), "{key} is not in {problems:?}");
    }

    #[test]
    fn what_is_absent_follows_from_the_format_and_the_door() {
        let rural = of("example-rural-fixed", FOLDER, "").expect("good");
        assert_eq!(rural.results, Some(ResultsCome::File));
        assert_eq!((rural.ask, rural.notices), (AskBy::Reference, NoticeSource::File));
        assert_eq!((rural.acknowledged_within_ms, rural.return_within_ms), (None, None));
        let city = of("example-city-xml", CALL, "result_within = \"30m\"").expect("good");
        assert_eq!(city.results, Some(ResultsCome::Query));
        assert_eq!((city.ask, city.notices), (AskBy::Reference, NoticeSource::Query));
        assert_eq!(city.result_within_ms, 30 * 60_000);
        assert!(city.return_within_ms.is_some());
        let pipe = of("example-core-pipe", FOLDER, "acknowledged_within = \"15m\"").expect("good");
        assert_eq!(pipe.acknowledged_within_ms, Some(15 * 60_000));
        assert_eq!((pipe.notices, pipe.notice_within_ms), (NoticeSource::None, None));
    }

    #[test]
    fn the_readmes_table_is_one_for_a_bank_that_takes_files() {
        let readme = include_str!("../../README.md");
        let (_, block) = readme.split_once("```toml\n[bank.answers]\n").expect("a block");
        let (block, _) = block.split_once("```").expect("its end");
        let agreed = of("example-rural-fixed", FOLDER, block).expect("good");
        assert_eq!(agreed.acknowledged_within_ms, Some(30 * 60_000));
        // What it says beside that is what would follow anyway.
        let without = block.replace("acknowledged_within", "# acknowledged_within");
        assert_eq!(
            of("example-rural-fixed", FOLDER, &without),
            of("example-rural-fixed", FOLDER, "")
        );
    }

    #[test]
    fn a_gap_is_refused_until_it_is_said_on_purpose() {
        // It cannot be asked, and nobody said so.
        refused("example-icbc-blank", FOLDER, "", "ask");
        let said = of("example-icbc-blank", FOLDER, "ask = \"none\"").expect("good");
        assert_eq!(said.ask, AskBy::None);
        let day = of("example-icbc-blank", FOLDER, "ask = \"day_file\"").expect("good");
        assert_eq!(day.ask, AskBy::DayFile);
        // Nothing says how its results come.
        refused("example-iso20022-09", CALL, "ask = \"none\"", "results");
        let pushed = "ask = \"none\"\nresults = \"push\"";
        refused("example-iso20022-09", CALL, pushed, "results");
        refused("example-rural-fixed", FOLDER, "notices = \"push\"", "notices");
        let heard = format!(
            "{CALL}[bank.push]\nlisten = \"127.0.0.1:1\"\nsigning = {{ algorithm = \"hmac-sha256\", \
             header = \"h\", secret = {{ file = \"/s\" }} }}\n"
        );
        let pushed = of("example-iso20022-09", &heard, pushed).expect("good");
        assert_eq!(pushed.results, Some(ResultsCome::Push));
    }

    #[test]
    fn i2_the_times_within_which_a_repeat_is_safe_are_not_guessed() {
        let name = "example-rural-fixed";
        let text = example::example(name).expect("it ships");
        for key in ["visibility_delay", "duplicate_window"] {
            let problems = told_without(key, name, text, FOLDER, "").expect_err("is refused");
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].starts_with(&format!("bank.1.{key}: is missing")), "{problems:?}");
        }
        let (city, text) =
            ("example-city-xml", example::example("example-city-xml").expect("it ships"));
        let problems = told_without("return_window", city, text, CALL, "")
            .expect_err("it is asked about returns");
        assert!(
            problems.len() == 1 && problems[0].starts_with("bank.1.return_window: is missing"),
            "{problems:?}"
        );
        assert!(
            told_without(
                "return_window",
                name,
                example::example(name).expect("it ships"),
                FOLDER,
                ""
            )
            .is_ok(),
            "it tells of them by itself"
        );
        // A bank that is not asked says "not found" to nobody.
        let (name, said) = ("example-icbc-blank", "ask = \"none\"");
        let text = example::example(name).expect("it ships");
        assert!(told_without("visibility_delay", name, text, FOLDER, said).is_ok());
    }

    #[test]
    fn a_contradiction_is_refused_with_its_key() {
        let (rural, city, icbc) = ("example-rural-fixed", "example-city-xml", "example-icbc-blank");
        refused(city, CALL, "results = \"file\"", "results");
        refused(city, CALL, "results = \"inline\"", "results");
        refused(city, CALL, "ask = \"none\"", "results");
        refused(rural, FOLDER, "results = \"query\"", "results");
        refused(icbc, FOLDER, "ask = \"reference\"", "ask");
        refused(city, CALL, "ask = \"batch\"", "ask");
        refused(city, CALL, "ask = \"day_file\"", "ask");
        refused(city, CALL, "ask = \"telephone\"", "ask");
        refused(city, CALL, "notices = \"file\"", "notices");
        refused(rural, FOLDER, "notices = \"query\"", "notices");
        refused(icbc, FOLDER, "ask = \"none\"\nnotices = \"result\"", "notices");
        refused(rural, FOLDER, "notices = \"none\"\nnotice_within = \"1h\"", "notice_within");
        refused(city, CALL, "acknowledged_within = \"5m\"", "acknowledged_within");
        refused(rural, FOLDER, "return_within = \"1h\"", "return_within");
        refused(city, CALL, "result_within = \"24h\"", "result_within");
    }

    #[test]
    fn i2_a_bank_that_gets_no_reference_of_ours_is_refused() {
        let text = example::example("example-city-xml").expect("it ships");
        let (request, rest) = text.split_once("kind = \"acknowledgement\"").expect("it answers");
        assert!(request.contains("key = \"reference\""));
        let nameless = request.replace("key = \"reference\"", "own = \"something\"");
        let text = format!("{nameless}kind = \"acknowledgement\"{rest}");
        let told = told("city", &text, CALL, "").expect_err("is refused");
        assert!(
            told.iter().any(|what| what.starts_with("bank.1.format: the payment_request")),
            "{told:?}"
        );
    }

    #[test]
    fn i15_a_bank_that_has_no_word_for_what_arrived_is_refused() {
        let name = "example-city-xml";
        let text = example::example(name).expect("it ships");
        let without = text.replacen("\nS = { outcome = \"credited\" }", "", 1);
        assert_ne!(text, without);
        let problems = told(name, &without, CALL, "").expect_err("is refused");
        assert!(problems[0].contains("means credited"), "{problems:?}");
    }

    #[test]
    fn i2_a_bank_whose_not_found_or_duplicate_has_no_code_is_refused() {
        let name = "example-city-xml";
        let text = example::example(name).expect("it ships");
        for (word, code) in [("not_found", "B404"), ("duplicate", "B101")] {
            let line = format!("{code} = {{ answer = \"{word}\" }}");
            let without = text.replace(&line, "");
            assert_ne!(text, without);
            let problems = told(name, &without, CALL, "").expect_err("is refused");
            assert!(problems[0].contains(&format!("means {word}")), "{problems:?}");
        }
    }

    #[test]
    fn i15_a_bank_that_has_no_word_for_being_at_work_is_refused() {
        let name = "example-city-xml";
        let text = example::example(name).expect("it ships");
        let accepted = text.replace("B002 = { answer = \"processing\" }", "");
        assert_ne!(text, accepted);
        told(name, &accepted, CALL, "").expect("accepted says so too");
        let neither = accepted.replace("B001 = { answer = \"accepted\" }", "");
        assert_ne!(accepted, neither);
        let problems = told(name, &neither, CALL, "").expect_err("is refused");
        assert!(
            problems.iter().any(|what| what.contains("accepted or processing")),
            "{problems:?}"
        );
    }
}
