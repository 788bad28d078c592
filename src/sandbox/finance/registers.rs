//! The registers of the practice finance: made up line by line, never kept.
//!
//! Every line is a function of the seed, the register and its number. A register of a million lines
//! is therefore streamed, digested and judged in the memory of one line; only its sum and its digest
//! are remembered.

use std::sync::OnceLock;

use crate::finance::wire::LineWire;
use crate::guard::digest::ContentDigest;
use crate::model::money::Fen;
use crate::model::payment::Line;
use crate::model::register::RegisterHead;
use crate::sandbox::finance::{Options, RegisterKind};
use crate::sandbox::people::{self, Naming, People};
use crate::sandbox::trigger::Trigger;

/// What is wrong with a line, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    None,
    CheckDigit,
    Region,
    AccountShape,
    /// A rare name at a bank that has no charset for it.
    NameNotInGbk,
    /// A rare name at a bank that can write it: a good payment.
    NameRare,
    BankUnknown,
    /// The same person as three lines before.
    Double,
    Bank(Trigger),
}

/// Programme code, name, 摘要 and department. The names are those of the county's notice.
const PROGRAMMES: [(&str, &str, &str, &str); 10] = [
    ("P01", "耕地地力保护补贴", "地力补贴", "县农业农村局"),
    ("P02", "“雨露计划”补助", "雨露补助", "县农业农村局"),
    ("P03", "脱贫人口外出就业交通补贴", "交通补贴", "县农业农村局"),
    ("P04", "大豆玉米复合种植补助资金", "种植补助", "县农业农村局"),
    ("P05", "互助资金占用费补助", "互助补助", "县农业农村局"),
    ("P06", "城市特困护理人员护理费", "护理费", "县民政局"),
    ("P07", "事实无人抚养儿童生活补贴", "儿童生活", "县民政局"),
    ("P08", "失独家庭一次性补助资金", "失独补助", "县卫健局"),
    ("P09", "残疾人阳光增收项目", "阳光增收", "县残联"),
    ("P10", "残疾人临时救助", "临时救助", "县残联"),
];

/// All registers of one practice finance.
pub struct Registers {
    options: Options,
    people: People,
    /// When the book was opened; the times of the registers follow from it.
    opened_at_ms: i64,
    totals: Vec<OnceLock<([u8; 32], Fen)>>,
}

impl Registers {
    pub fn new(options: Options, opened_at_ms: i64) -> Self {
        let totals = (0..options.registers).map(|_| OnceLock::new()).collect();
        Self { people: People::new(options.seed), opened_at_ms, totals, options }
    }

    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// The number of lines of every register.
    pub const fn payments(&self) -> i64 {
        self.options.payments
    }

    pub const fn count(&self) -> usize {
        self.options.registers
    }

    /// The id of the register at this place of the list, counted from 0.
    pub fn id(&self, at: usize) -> String {
        format!("{}-{:04}", crate::clock::local_day(self.opened_at_ms), at + 1)
    }

    /// The place of a register in the list.
    pub fn find(&self, id: &str) -> Option<usize> {
        let number: usize = id.rsplit_once('-')?.1.parse().ok()?;
        let at = number.checked_sub(1)?;
        (at < self.count() && self.id(at) == id).then_some(at)
    }

    pub fn kind(&self, at: usize) -> RegisterKind {
        let kinds = &self.options.kinds;
        kinds.get(at % kinds.len().max(1)).copied().unwrap_or(RegisterKind::Clean)
    }

    /// The town that handed the register in.
    pub fn town(&self, at: usize) -> String {
        people::town(at as u64 + self.options.seed)
    }

    /// The head, with its digest and without its funded time. Slow at the first call for a register:
    /// all of its lines are made up once.
    pub fn head(&self, at: usize) -> RegisterHead {
        let (digest, sum) = *self.totals[at].get_or_init(|| self.total(at));
        RegisterHead { declared_sum: sum, digest, ..self.bare_head(at) }
    }

    /// The amount of a line, without making up the rest of it.
    pub fn amount(&self, at: usize, line: i64) -> Fen {
        self.people.amount(self.index(at, line))
    }

    /// The village of a line, without making up the rest of it.
    pub fn village(&self, at: usize, line: i64) -> String {
        if self.trouble(at, line) == Trouble::Region {
            return "990728101001".to_owned();
        }
        // One payee in ten lives in the next town.
        let index = self.index(at, line);
        let town = if index % 10 == 9 {
            people::town(at as u64 + self.options.seed + 1)
        } else {
            self.town(at)
        };
        self.people.village(index, &town)
    }

    /// One line.
    pub fn line(&self, at: usize, line: i64) -> Line {
        let trouble = self.trouble(at, line);
        let same_as = if trouble == Trouble::Double { line - 3 } else { line };
        let bank_no = self.bank(at, same_as);
        let trigger = if let Trouble::Bank(trigger) = trouble { Some(trigger) } else { None };
        let naming = match trouble {
            Trouble::NameNotInGbk | Trouble::NameRare => Naming::Rare,
            _ => Naming::Usual,
        };
        let mut person =
            self.people.person(self.index(at, same_as), bank_no as u64, naming, trigger);
        match trouble {
            Trouble::CheckDigit => {
                person.document_number = people::with_wrong_check_digit(&person.document_number);
            }
            Trouble::AccountShape => person.account.insert(4, '-'),
            _ => {}
        }
        if self.kind(at) == RegisterKind::Troubled && line % 19 == 1 {
            person.phone.clear();
        }
        let bank = if trouble == Trouble::BankUnknown {
            "nowhere".to_owned()
        } else {
            self.options.banks.get(bank_no).map_or_else(String::new, |bank| bank.code.clone())
        };
        let (village, amount) = (self.village(at, line), self.amount(at, line));
        Line { line, person, bank, village, amount, replaces: None }
    }

    /// One line as it stands in the stream, without the line end.
    pub fn write_line(&self, at: usize, line: i64, out: &mut Vec<u8>) {
        let wire = LineWire::from(self.line(at, line));
        serde_json::to_writer(out, &wire).expect("a line writes into memory");
    }

    /// What is wrong with a line: a troubled register has about 1 % lines to be set aside, 2 % that
    /// the bank fails and 0.5 % that come back, and each of them within its first forty lines.
    pub fn trouble(&self, at: usize, line: i64) -> Trouble {
        match self.kind(at) {
            RegisterKind::Lost if line == self.lost_line() => {
                return Trouble::Bank(Trigger::LoseAnswer);
            }
            RegisterKind::Clean | RegisterKind::Lost => return Trouble::None,
            RegisterKind::Troubled => {}
        }
        let gbk = |wanted: bool| self.options.banks.iter().any(|bank| bank.gbk == wanted);
        match (line % 600, line % 150, line % 200) {
            (3, _, _) => Trouble::CheckDigit,
            (7, _, _) => Trouble::Region,
            (11, _, _) => Trouble::AccountShape,
            (15, _, _) if gbk(true) => Trouble::NameNotInGbk,
            (19, _, _) => Trouble::BankUnknown,
            (23, _, _) => Trouble::Double,
            (27, _, _) if gbk(false) => Trouble::NameRare,
            (_, 5, _) => Trouble::Bank(Trigger::AccountNotFound),
            (_, 9, _) => Trouble::Bank(Trigger::NameMismatch),
            (_, 13, _) => Trouble::Bank(Trigger::Closed),
            (_, _, 17) => Trouble::Bank(Trigger::ReturnLater),
            _ => Trouble::None,
        }
    }

    /// The line whose batch gets no answer. It belongs to a bank that is called, where there is one: the
    /// answer to a call can be lost on the way, and a file that was handed over waits for none.
    fn lost_line(&self) -> i64 {
        let middle = self.options.payments / 2 + 1;
        let called =
            |line: &i64| self.options.banks.get(self.in_turn(*line)).is_some_and(|bank| bank.gbk);
        // Each bank has had its turn by then.
        let round = 10 * i64::try_from(self.options.banks.len()).unwrap_or(1);
        (middle..=self.options.payments.min(middle + round)).find(called).unwrap_or(middle)
    }

    /// Ten lines for one bank, ten for the next.
    fn in_turn(&self, line: i64) -> usize {
        usize::try_from((line - 1) / 10).unwrap_or(0) % self.options.banks.len().max(1)
    }

    /// The number of the bank of a line.
    fn bank(&self, at: usize, line: i64) -> usize {
        let banks = &self.options.banks;
        let first = |wanted: bool| banks.iter().position(|bank| bank.gbk == wanted);
        let in_turn = self.in_turn(line);
        match self.trouble(at, line) {
            Trouble::NameNotInGbk => first(true),
            Trouble::NameRare => first(false),
            _ => None,
        }
        .unwrap_or(in_turn)
    }

    fn index(&self, at: usize, line: i64) -> u64 {
        let payments = u64::try_from(self.options.payments).unwrap_or(0);
        at as u64 * payments + u64::try_from(line).unwrap_or(0)
    }

    fn total(&self, at: usize) -> ([u8; 32], Fen) {
        let sum: Fen = (1..=self.options.payments).map(|line| self.amount(at, line)).sum();
        let head = RegisterHead { declared_sum: sum, ..self.bare_head(at) };
        let mut digest = ContentDigest::of_head(&head);
        let mut raw = Vec::new();
        for line in 1..=self.options.payments {
            raw.clear();
            self.write_line(at, line, &mut raw);
            digest.line(&raw);
        }
        (digest.finish(), sum)
    }

    fn bare_head(&self, at: usize) -> RegisterHead {
        let (code, name, summary, department) = PROGRAMMES[at % PROGRAMMES.len()];
        let (day, id) = (crate::clock::local_day(self.opened_at_ms), self.id(at));
        let year = day.get(..4).unwrap_or_default().to_owned();
        let ago = i64::try_from(self.count() - at).unwrap_or(0) * 1000;
        RegisterHead {
            programme_code: code.to_owned(),
            programme_name: name.to_owned(),
            summary: summary.to_owned(),
            department: department.to_owned(),
            town: self.town(at),
            // 演练: an exercise, so that nobody takes it for a paper of the county.
            document_no: format!("演练〔{year}〕{}号", at + 1),
            // The same programme is paid again for another period.
            period: format!("{year}第{}期", at / PROGRAMMES.len() + 1),
            entered_by: "practice-entry".to_owned(),
            reviewed_by: "practice-review".to_owned(),
            approved_at_ms: self.opened_at_ms - ago,
            funded_at_ms: None,
            pool_account: format!("6107289900{:09}", at + 1),
            voucher_no: format!("5201-{id}"),
            declared_count: self.options.payments,
            declared_sum: Fen::ZERO,
            digest: [0; 32],
            revision: 1,
            id,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::model::person::{account_has_shape, id_number_closes, village_code_is_plausible};
    use crate::sandbox::finance::BankCode;
    use crate::sandbox::trigger;

    fn registers(payments: i64) -> Registers {
        let banks = [("a", false), ("b", true)];
        let banks = banks.map(|(code, gbk)| BankCode { code: code.to_owned(), gbk }).to_vec();
        Registers::new(
            Options { registers: 3, payments, banks, ..Options::practice() },
            1_795_420_144_000,
        )
    }

    fn is_good(line: &Line) -> bool {
        id_number_closes(&line.person.document_number)
            && village_code_is_plausible(&line.village)
            && account_has_shape(&line.person.account)
            && !encoding_rs::GBK.encode(&line.person.name).2
            && line.bank != "nowhere"
    }

    #[test]
    fn clean_and_lost_registers_have_no_line_to_set_aside() {
        let registers = registers(1000);
        for (at, triggers) in [(0, 0), (2, 1)] {
            let lines: Vec<Line> = (1..=1000).map(|line| registers.line(at, line)).collect();
            assert!(lines.iter().all(is_good));
            let mut people = HashMap::new();
            for line in &lines {
                *people.entry(line.person.document_number.clone()).or_insert(0) += 1;
            }
            assert_eq!(people.len(), 1000);
            let found = lines.iter().filter_map(|line| trigger::of(&line.person.account));
            assert_eq!(found.count(), triggers);
            let lost = lines.iter().find(|line| trigger::of(&line.person.account).is_some());
            assert!(lost.is_none_or(|line| line.bank == "b"), "only a call's answer can be lost");
            assert!(lines.iter().any(|l| l.bank == "a") && lines.iter().any(|l| l.bank == "b"));
        }
    }

    #[test]
    fn forty_lines_have_every_trouble() {
        let registers = registers(40);
        let lines: Vec<Line> = (1..=40).map(|line| registers.line(1, line)).collect();
        let count = |test: &dyn Fn(&Line) -> bool| lines.iter().filter(|line| test(line)).count();
        assert_eq!(count(&|l| !id_number_closes(&l.person.document_number)), 1);
        assert_eq!(count(&|l| !village_code_is_plausible(&l.village)), 1);
        assert_eq!(count(&|l| !account_has_shape(&l.person.account)), 1);
        assert_eq!(count(&|l| l.bank == "nowhere"), 1);
        let rare = |l: &Line| encoding_rs::GBK.encode(&l.person.name).2;
        assert_eq!(count(&|l| rare(l) && l.bank == "a"), 1);
        assert_eq!(count(&|l| rare(l) && l.bank == "b"), 1);
        assert_eq!(lines[22].person.document_number, lines[19].person.document_number);
        assert_eq!(count(&|l| l.person.phone.is_empty()), 3);
        for wanted in Trigger::ALL {
            let expected = usize::from(wanted != Trigger::LoseAnswer);
            assert_eq!(count(&|l| trigger::of(&l.person.account) == Some(wanted)), expected);
        }
    }

    #[test]
    fn shares_of_trouble_are_as_promised() {
        let registers = registers(60_000);
        let mut counts = HashMap::new();
        for line in 1..=60_000 {
            let class = match registers.trouble(1, line) {
                Trouble::None | Trouble::NameRare => "good",
                Trouble::Bank(Trigger::ReturnLater) => "returned",
                Trouble::Bank(_) => "failed",
                _ => "held",
            };
            *counts.entry(class).or_insert(0) += 1;
        }
        assert_eq!((counts["held"], counts["failed"], counts["returned"]), (600, 1200, 300));
    }

    #[test]
    fn heads_are_found_again_and_differ() {
        let registers = registers(40);
        for at in 0..3 {
            let head = registers.head(at);
            assert_eq!(registers.find(&head.id), Some(at));
            assert!(crate::finance::wire::id_is_plain(&head.id));
            let sum: Fen = (1..=40).map(|line| registers.line(at, line).amount).sum();
            assert_eq!(head.declared_sum, sum);
        }
        assert_ne!(registers.head(0).digest, registers.head(1).digest);
        for bad in ["", "x", "20261123-0000", "20261123-0004", "20261123-1", "20261122-0001"] {
            assert_eq!(registers.find(bad), None, "{bad}");
        }
    }
}
