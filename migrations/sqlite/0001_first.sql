-- The facts. Money is whole fen, times are UTC epoch milliseconds, personal data is sealed.
-- Both databases carry the same tables and columns; a test compares them.

-- Settings that belong to this database alone.
CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY, -- install: names this database; epoch: restore epoch, part of every reference; key:...: fingerprints of the keys; clock: how the time of day stood to the machine's running time
    value TEXT NOT NULL -- its value
) STRICT;

-- Which daemon writes: it takes the next number when it starts, and every transaction of one asks whether it
-- is still the last.
CREATE TABLE lease (
    name TEXT NOT NULL PRIMARY KEY, -- daemon
    epoch INTEGER NOT NULL -- grows with every start
) STRICT;

-- Counters; a reference is taken before what it names is written.
CREATE TABLE counter (
    name TEXT NOT NULL PRIMARY KEY, -- reference:BANK, day:BANK:DATE, reports_acknowledged
    value INTEGER NOT NULL -- the last number taken
) STRICT;

-- Numbers of a counter that nobody has seen: their attempts were closed before anything left. The next one
-- takes them, for banks that accept no gap.
CREATE TABLE free_number (
    counter TEXT NOT NULL, -- the counter
    number INTEGER NOT NULL, -- the number
    state TEXT NOT NULL, -- free, taken again, forgotten (after a restore)
    state_at_ms INTEGER NOT NULL, -- when it came into that state
    PRIMARY KEY (counter, number)
) STRICT, WITHOUT ROWID;

-- How far each feed of each finance source was read.
CREATE TABLE feed (
    source TEXT NOT NULL, -- the finance source
    feed TEXT NOT NULL, -- registers or decisions
    cursor TEXT NOT NULL, -- finance's cursor of the last item that is durable here
    PRIMARY KEY (source, feed)
) STRICT;

-- Registers that finance lists and that could not be read: tried until they can be.
CREATE TABLE unread (
    source TEXT NOT NULL, -- the finance source
    id TEXT NOT NULL, -- finance's id
    revision INTEGER NOT NULL, -- finance's revision
    why TEXT NOT NULL, -- why the last try failed
    tries INTEGER NOT NULL, -- how often it was tried
    since_at_ms INTEGER NOT NULL, -- when it was listed
    next_at_ms INTEGER NOT NULL, -- when it is tried next
    PRIMARY KEY (source, id, revision)
) STRICT;

-- One revision of one register (I25).
CREATE TABLE register (
    register_no INTEGER PRIMARY KEY AUTOINCREMENT, -- our number
    source TEXT NOT NULL, -- the finance source it came from
    id TEXT NOT NULL, -- finance's id
    revision INTEGER NOT NULL, -- finance's revision
    programme_code TEXT NOT NULL, -- programme
    programme_name TEXT NOT NULL, -- programme in words
    summary TEXT NOT NULL, -- what the passbook prints
    department TEXT NOT NULL, -- the department in charge
    town TEXT NOT NULL, -- the town named in the head, may be empty
    document_no TEXT NOT NULL, -- number of the approving document
    period TEXT NOT NULL, -- the period that is paid
    entered_by TEXT NOT NULL, -- who entered it
    reviewed_by TEXT NOT NULL, -- who reviewed it, another person
    approved_at_ms INTEGER NOT NULL, -- when finance approved it
    funded_at_ms INTEGER, -- when the pool account was funded, once known
    pool_account TEXT NOT NULL, -- the bank's internal account that pays
    voucher_no TEXT NOT NULL, -- original treasury voucher, carried along by refunds
    declared_count INTEGER NOT NULL, -- payments it says it has
    declared_sum_fen INTEGER NOT NULL, -- sum it says it has
    digest BLOB NOT NULL, -- SHA-256 over head and lines, as finance stated it
    head_digest BLOB NOT NULL, -- SHA-256 over the head as kept here; part of what every payment is sealed to
    received_at_ms INTEGER NOT NULL, -- when the first byte of this revision was read
    state TEXT NOT NULL, -- receiving, refused, accepted, superseded, revoked, closed
    state_at_ms INTEGER NOT NULL, -- when it came into that state
    faults TEXT NOT NULL, -- JSON list of faults when refused, else []
    content BLOB, -- keyed digest over the lines alone, once accepted
    twin_no INTEGER, -- another register with equal content, flagged only
    start_at_ms INTEGER, -- when the duty's clock started, once that event is known
    deadline_at_ms INTEGER, -- when every card must be credited
    alert_level INTEGER NOT NULL, -- highest deadline alert raised: 0, 50, 80, 95, 100, and one more for each day behind it
    settle_at_ms INTEGER, -- when leftover goes back even if not all is settled
    UNIQUE (source, id, revision)
) STRICT;

CREATE INDEX register_state ON register (state);

-- One line of a register. Written once, never updated, knows no batch.
CREATE TABLE payment (
    register_no INTEGER NOT NULL, -- its register
    line INTEGER NOT NULL, -- its number there
    bank TEXT NOT NULL, -- agent bank
    town INTEGER NOT NULL, -- nine digits of the village code, 0 where it is no code
    amount_fen INTEGER NOT NULL, -- approved amount
    person BLOB NOT NULL, -- sealed: name, document, account, phone, village
    PRIMARY KEY (register_no, line)
) STRICT, WITHOUT ROWID;

-- A line that says which earlier payment it replaces.
CREATE TABLE reissue (
    register_no INTEGER NOT NULL, -- the new line
    line INTEGER NOT NULL, -- the new line
    replaces_register_no INTEGER NOT NULL, -- the payment it replaces
    replaces_line INTEGER NOT NULL, -- the payment it replaces
    number INTEGER NOT NULL, -- 2 for the second try to pay, and so on
    PRIMARY KEY (register_no, line)
) STRICT, WITHOUT ROWID;

CREATE INDEX reissue_of ON reissue (replaces_register_no, replaces_line);

-- Blind index of persons: written once per register in key order, never an index on payment.
CREATE TABLE person_key (
    kind TEXT NOT NULL, -- what was blinded: document
    key_id INTEGER NOT NULL, -- the blinding key
    programme TEXT NOT NULL, -- programme code
    period TEXT NOT NULL, -- period
    blind BLOB NOT NULL, -- keyed digest of kind and number
    register_no INTEGER NOT NULL, -- the payment
    line INTEGER NOT NULL, -- the payment
    PRIMARY KEY (kind, key_id, programme, period, blind, register_no, line)
) STRICT, WITHOUT ROWID;

-- What happened to payments set aside. Append-only.
CREATE TABLE hold (
    register_no INTEGER NOT NULL, -- the payment
    line INTEGER NOT NULL, -- the payment
    event_no INTEGER NOT NULL, -- 1, 2, ... for this payment
    event TEXT NOT NULL, -- placed, released, dropped
    reason TEXT NOT NULL, -- why it was placed; later events repeat it
    detail TEXT NOT NULL, -- more of why, without personal data
    by_whom TEXT NOT NULL, -- intake, an operator, or finance
    at_ms INTEGER NOT NULL, -- when
    PRIMARY KEY (register_no, line, event_no)
) STRICT, WITHOUT ROWID;

-- The part of a register that one bank pays: the five places and the counters that pages read.
CREATE TABLE share (
    register_no INTEGER NOT NULL, -- the register
    bank TEXT NOT NULL, -- the bank
    payments INTEGER NOT NULL, -- payments in it
    approved_fen INTEGER NOT NULL, -- their sum, less what a later revision took over
    unsent_fen INTEGER NOT NULL CHECK (unsent_fen >= 0), -- place
    in_flight_fen INTEGER NOT NULL CHECK (in_flight_fen >= 0), -- place
    credited_fen INTEGER NOT NULL CHECK (credited_fen >= 0), -- place
    refundable_fen INTEGER NOT NULL CHECK (refundable_fen >= 0), -- place
    refunded_fen INTEGER NOT NULL CHECK (refunded_fen >= 0), -- place
    disputed_fen INTEGER NOT NULL CHECK (disputed_fen >= 0), -- credits beyond what was approved
    cut_line INTEGER NOT NULL, -- lines up to here were offered to a range batch
    uncut INTEGER NOT NULL CHECK (uncut >= 0), -- payments after cut_line that are not set aside
    held INTEGER NOT NULL CHECK (held >= 0), -- payments set aside now
    waiting INTEGER NOT NULL CHECK (waiting >= 0), -- payments waiting for a listed batch
    dropped INTEGER NOT NULL CHECK (dropped >= 0), -- payments dropped
    credited INTEGER NOT NULL CHECK (credited >= 0), -- payments credited now
    failed INTEGER NOT NULL CHECK (failed >= 0), -- payments failed now
    returned INTEGER NOT NULL CHECK (returned >= 0), -- payments returned now
    conflicts INTEGER NOT NULL CHECK (conflicts >= 0), -- payments frozen by a contradiction
    sms_delivered INTEGER NOT NULL, -- SMS that the bank says were delivered
    sms_failed INTEGER NOT NULL, -- SMS that were not
    sms_no_number INTEGER NOT NULL, -- credits without a number to send one to
    sms_unknown INTEGER NOT NULL, -- SMS of which the bank does not say
    PRIMARY KEY (register_no, bank),
    CHECK (approved_fen = unsent_fen + in_flight_fen + credited_fen + refundable_fen + refunded_fen)
) STRICT, WITHOUT ROWID;

-- What goes to one bank in one file or message.
CREATE TABLE batch (
    batch_no INTEGER PRIMARY KEY AUTOINCREMENT, -- our number
    register_no INTEGER NOT NULL, -- the register
    bank TEXT NOT NULL, -- the bank
    listed INTEGER NOT NULL, -- 0: lines first..last of this bank less batch_except; 1: batch_payment
    first_line INTEGER NOT NULL, -- first member
    last_line INTEGER NOT NULL, -- last member
    payments INTEGER NOT NULL, -- members, frozen
    sum_fen INTEGER NOT NULL, -- their sum, frozen
    content BLOB NOT NULL, -- digest over payee, account, amount and summary of the members, frozen
    format_digest BLOB NOT NULL, -- the format's text it was written with, frozen
    start_at_ms INTEGER, -- the duty's clock as it stood at the first INTENT
    deadline_at_ms INTEGER, -- the deadline as it stood at the first INTENT
    state TEXT NOT NULL, -- open, settled, refused, recut
    cut_at_ms INTEGER NOT NULL, -- when it was cut
    recut_of INTEGER, -- the refused batch whose payments it carries
    pending INTEGER NOT NULL CHECK (pending >= 0), -- members without an answer
    credited INTEGER NOT NULL CHECK (credited >= 0), -- members credited now
    failed INTEGER NOT NULL CHECK (failed >= 0), -- members failed now
    returned INTEGER NOT NULL CHECK (returned >= 0), -- members returned now
    conflicts INTEGER NOT NULL CHECK (conflicts >= 0), -- members frozen by a contradiction
    credited_fen INTEGER NOT NULL, -- sum credited now
    alert_level INTEGER NOT NULL, -- highest deadline alert raised for it
    CHECK (payments = pending + credited + failed + returned + conflicts)
) STRICT;

CREATE INDEX batch_register ON batch (register_no);
CREATE INDEX batch_open ON batch (state) WHERE state = 'open';

-- Lines inside a range batch that are not its members.
CREATE TABLE batch_except (
    batch_no INTEGER NOT NULL, -- the batch
    line INTEGER NOT NULL, -- set aside when it was cut
    PRIMARY KEY (batch_no, line)
) STRICT, WITHOUT ROWID;

-- Members of a listed batch: released, or carried over from a refused one.
CREATE TABLE batch_payment (
    batch_no INTEGER NOT NULL, -- the batch
    line INTEGER NOT NULL, -- the member
    register_no INTEGER NOT NULL, -- its register
    live INTEGER NOT NULL, -- 0 once the batch was refused
    PRIMARY KEY (batch_no, line)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX batch_payment_live ON batch_payment (register_no, line) WHERE live = 1;

-- Payments that wait for a listed batch: released by finance, or of a refused batch that is cut again.
CREATE TABLE waiting (
    register_no INTEGER NOT NULL, -- the payment
    line INTEGER NOT NULL, -- the payment
    bank TEXT NOT NULL, -- its bank
    recut_of INTEGER, -- the refused batch it was in
    PRIMARY KEY (register_no, line)
) STRICT, WITHOUT ROWID;

-- The text of every format that ever wrote something, so that old answers stay readable.
CREATE TABLE format_text (
    digest BLOB NOT NULL PRIMARY KEY, -- SHA-256 of the text
    name TEXT NOT NULL, -- the format's name
    text TEXT NOT NULL -- format.toml as it was
) STRICT;

-- One try to hand a batch or a refund over.
CREATE TABLE attempt (
    attempt_no INTEGER PRIMARY KEY AUTOINCREMENT, -- our number
    kind TEXT NOT NULL, -- payment, refund
    batch_no INTEGER, -- what it carries
    refund_no INTEGER, -- what it carries
    register_no INTEGER NOT NULL, -- whose money
    bank TEXT NOT NULL, -- the bank it goes to
    reference TEXT NOT NULL, -- our reference at that bank; never used again
    format_digest BLOB NOT NULL, -- the format's text it was written with
    state TEXT NOT NULL, -- intent, sending, accepted, refused, not_sent, unknown, stopped, closed, by_hand
    state_at_ms INTEGER NOT NULL, -- when it came into that state
    made_at_ms INTEGER NOT NULL, -- when INTENT became durable
    sent_at_ms INTEGER, -- when bytes last may have left
    lost_at_ms INTEGER, -- when it first may have arrived without an answer, or when two people found that it had not: the bank's duplicate window runs from here
    sends INTEGER NOT NULL, -- how often it was started, always with the same bytes
    asks INTEGER NOT NULL, -- how often the bank was asked about it
    next_at_ms INTEGER, -- when to do the next thing about it; nothing means nothing is due
    counter TEXT, -- the counter of which its bytes bear a number, where they do
    number INTEGER, -- that number
    bank_code TEXT NOT NULL, -- the bank's last code about the whole
    bank_text BLOB, -- sealed: the bank's last words about the whole
    UNIQUE (bank, reference)
) STRICT;

CREATE UNIQUE INDEX attempt_live_batch ON attempt (batch_no) WHERE batch_no IS NOT NULL AND state NOT IN ('refused', 'closed');
CREATE UNIQUE INDEX attempt_live_refund ON attempt (refund_no) WHERE refund_no IS NOT NULL AND state NOT IN ('refused', 'closed');
CREATE INDEX attempt_due ON attempt (bank, next_at_ms) WHERE next_at_ms IS NOT NULL;
CREATE INDEX attempt_batch ON attempt (batch_no);

-- What a bank calls an attempt: its own numbers, several where it splits what we sent in one.
CREATE TABLE bank_reference (
    attempt_no INTEGER NOT NULL, -- the attempt
    reference TEXT NOT NULL, -- the bank's number
    bank TEXT NOT NULL, -- whose number it is
    seen_at_ms INTEGER NOT NULL, -- when it became known
    PRIMARY KEY (attempt_no, reference)
) STRICT, WITHOUT ROWID;

CREATE INDEX bank_reference_of ON bank_reference (bank, reference);

-- Answers "not found" that were left in a folder and counted, for the question that they answered or for an
-- earlier one: the same one once more is the answer to no other question.
CREATE TABLE not_found (
    attempt_no INTEGER NOT NULL, -- the attempt that the bank did not find
    digest BLOB NOT NULL, -- SHA-256 of the answer
    sends INTEGER NOT NULL, -- how often the attempt had been sent by then
    read_at_ms INTEGER NOT NULL, -- when
    PRIMARY KEY (attempt_no, digest)
) STRICT, WITHOUT ROWID;

-- An answer that a bank owes. Per attempt and kind: a row per payment would cost more than what it tells.
CREATE TABLE expectation (
    attempt_no INTEGER NOT NULL, -- who waits
    kind TEXT NOT NULL, -- acknowledgement, result, notice, return, refund_answer
    opened_at_ms INTEGER NOT NULL, -- since when; of returns, when the bank last had a word about them
    due_at_ms INTEGER NOT NULL, -- when silence becomes an alert
    state TEXT NOT NULL, -- open, overdue, met, dropped
    state_at_ms INTEGER NOT NULL, -- when it came into that state
    PRIMARY KEY (attempt_no, kind)
) STRICT, WITHOUT ROWID;

CREATE INDEX expectation_due ON expectation (due_at_ms) WHERE state = 'open';
CREATE INDEX expectation_overdue ON expectation (attempt_no) WHERE state = 'overdue';

-- Banks that refused or left unanswered what was sent last: after a run of these nothing is sent for a while.
CREATE TABLE breaker (
    bank TEXT NOT NULL PRIMARY KEY, -- the bank
    state TEXT NOT NULL, -- closed, open, half_open
    run INTEGER NOT NULL CHECK (run >= 0), -- refused or unknown attempts in a row
    last TEXT NOT NULL, -- what the last of them was: refused, unknown
    last_no INTEGER NOT NULL, -- which attempt the last of them was
    since_ms INTEGER NOT NULL, -- when it came into that state
    probe_no INTEGER -- half open: the one attempt that is sent
) STRICT;

-- The ordered parts of an attempt: data, control, message.
CREATE TABLE part (
    attempt_no INTEGER NOT NULL, -- the attempt
    part_no INTEGER NOT NULL, -- order of handing over, from 1
    role TEXT NOT NULL, -- data, control, message
    name TEXT NOT NULL, -- file name, empty for a message
    committing INTEGER NOT NULL, -- 1: handing this one over is the commit point
    size INTEGER NOT NULL, -- bytes
    sha256 BLOB NOT NULL, -- of the plain bytes
    PRIMARY KEY (attempt_no, part_no)
) STRICT, WITHOUT ROWID;

CREATE TABLE part_chunk (
    attempt_no INTEGER NOT NULL, -- the part
    part_no INTEGER NOT NULL, -- the part
    chunk_no INTEGER NOT NULL, -- order, from 1
    bytes BLOB NOT NULL, -- sealed
    PRIMARY KEY (attempt_no, part_no, chunk_no)
) STRICT;

-- What banks pushed: kept before they are answered, and the only copy of it.
CREATE TABLE pushed (
    pushed_no INTEGER PRIMARY KEY AUTOINCREMENT, -- our number, in the order of coming
    bank TEXT NOT NULL, -- who called
    digest BLOB NOT NULL, -- SHA-256 of the bytes
    size INTEGER NOT NULL, -- bytes of the message
    bytes BLOB NOT NULL, -- sealed
    state TEXT NOT NULL, -- waiting, taken
    came_at_ms INTEGER NOT NULL, -- when it was kept
    taken_at_ms INTEGER, -- when what it says was applied or held
    next_at_ms INTEGER NOT NULL, -- while it waits: when it is looked at
    UNIQUE (bank, digest)
) STRICT;

CREATE INDEX pushed_waiting ON pushed (next_at_ms) WHERE state = 'waiting';

-- A file or answer of a bank that was taken.
CREATE TABLE result (
    result_no INTEGER PRIMARY KEY AUTOINCREMENT, -- our number
    bank TEXT NOT NULL, -- who gave it
    name TEXT NOT NULL, -- file name, or the kind of answer and our reference; decision D1 where two people said it
    digest BLOB NOT NULL, -- SHA-256 of its bytes
    attempt_no INTEGER, -- what it is about, where that is known
    register_no INTEGER, -- whose money
    state TEXT NOT NULL, -- applied, held
    lines INTEGER NOT NULL, -- lines in it
    applied INTEGER NOT NULL, -- lines that said something new
    quarantined INTEGER NOT NULL, -- lines put aside
    why TEXT NOT NULL, -- why it was held, without personal data
    evidence BLOB, -- sealed bytes of what was held or quarantined
    taken_at_ms INTEGER NOT NULL, -- when
    again_no INTEGER, -- where it was held: the result that the bank told once more after it, in full
    again_at_ms INTEGER, -- when it did
    weighs INTEGER NOT NULL DEFAULT 0, -- 1 where it was held and may say that something was done
    turn INTEGER NOT NULL -- the how manyth to be applied; where it is held, after how many
) STRICT;

-- The same bytes about the same attempt are taken once. About another one they say something else: the file
-- of a bank that names neither batch nor day is the same for two batches of the same people.
CREATE UNIQUE INDEX result_once ON result (bank, digest, COALESCE(attempt_no, 0));
CREATE INDEX result_attempt ON result (attempt_no);
CREATE INDEX result_turn ON result (turn);

-- What the bank said became of a payment. Append-only, order-free.
CREATE TABLE outcome (
    attempt_no INTEGER NOT NULL, -- by which attempt
    line INTEGER NOT NULL, -- the payment
    kind TEXT NOT NULL, -- credited, failed, returned; decided by two people: settled_credited, settled_failed
    result_no INTEGER NOT NULL, -- where it was said
    reason TEXT, -- our reason
    code TEXT, -- the bank's code
    words BLOB, -- sealed: the bank's words
    PRIMARY KEY (attempt_no, line, kind)
) STRICT, WITHOUT ROWID;

-- What a bank calls single payments: where its later answers name them by that alone, and where they were handed over more than once.
CREATE TABLE payment_serial (
    attempt_no INTEGER NOT NULL, -- the attempt
    serial TEXT NOT NULL, -- the bank's number
    line INTEGER NOT NULL, -- the payment
    result_no INTEGER NOT NULL, -- where it was said
    PRIMARY KEY (attempt_no, serial)
) STRICT, WITHOUT ROWID;

-- A line of a result that changed nothing, and why.
CREATE TABLE quarantine (
    result_no INTEGER NOT NULL, -- the result
    row_no INTEGER NOT NULL, -- its row, from 1
    cause TEXT NOT NULL, -- unknown_payment, amount_differs, account_differs, code_unknown, ambiguous, unreadable, credited_twice, returned_one_of_two
    detail TEXT NOT NULL, -- what was expected, without personal data
    attempt_no INTEGER, -- the attempt, where known
    line INTEGER, -- the payment, where known
    at_ms INTEGER NOT NULL, -- when
    PRIMARY KEY (result_no, row_no)
) STRICT, WITHOUT ROWID;

-- What two people decide because no bank can say it: one proposes, another confirms (I31).
CREATE TABLE decision (
    decision_no INTEGER PRIMARY KEY AUTOINCREMENT, -- our number
    subject TEXT NOT NULL, -- what it is about, as people see it: an attempt A1, a batch B1, a payment R1-2, a result E1, a line of one E1.2
    verdict TEXT NOT NULL, -- received, not_received, never, credited, failed, dismissed
    reason TEXT, -- our reason, where a payment failed
    standing TEXT NOT NULL, -- how the thing stood when it was proposed; it must stand so when it is confirmed (F65)
    register_no INTEGER, -- whose money, where that is known
    bank TEXT NOT NULL, -- the bank that cannot say it
    evidence BLOB NOT NULL, -- sealed: what was seen or heard, and from whom
    state TEXT NOT NULL, -- proposed, confirmed, withdrawn
    proposed_by TEXT NOT NULL, -- an operator of the config
    proposed_at_ms INTEGER NOT NULL, -- when
    confirmed_by TEXT, -- another operator
    confirmed_at_ms INTEGER, -- when, and when it was carried out
    withdrawn_by TEXT, -- who took it back before it was confirmed
    CONSTRAINT decision_two_people CHECK (confirmed_by IS NULL OR confirmed_by <> proposed_by),
    CONSTRAINT decision_confirmed CHECK ((state = 'confirmed') = (confirmed_by IS NOT NULL) AND (state = 'confirmed') = (confirmed_at_ms IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX decision_open ON decision (subject) WHERE state = 'proposed';
CREATE INDEX decision_subject ON decision (subject);

-- What the bank said became of an SMS. Never money (I26).
CREATE TABLE notice (
    attempt_no INTEGER NOT NULL, -- for the credit by this attempt
    line INTEGER NOT NULL, -- the payment
    state TEXT NOT NULL, -- delivered, failed, no_number, unknown
    result_no INTEGER NOT NULL, -- where it was said
    PRIMARY KEY (attempt_no, line, state)
) STRICT, WITHOUT ROWID;

-- Money that goes back: one row per payment, once (I8).
CREATE TABLE leftover (
    register_no INTEGER NOT NULL, -- the payment
    line INTEGER NOT NULL, -- the payment
    bank TEXT NOT NULL, -- its share
    amount_fen INTEGER NOT NULL, -- its amount
    cause TEXT NOT NULL, -- dropped, failed, returned
    state TEXT NOT NULL, -- open, reserved, refunded, withdrawn, absent
    refund_no INTEGER, -- the refund that carries it
    at_ms INTEGER NOT NULL, -- when it became leftover
    PRIMARY KEY (register_no, line)
) STRICT, WITHOUT ROWID;

CREATE INDEX leftover_open ON leftover (register_no, bank) WHERE state = 'open';
CREATE INDEX leftover_refund ON leftover (refund_no) WHERE refund_no IS NOT NULL;

-- Leftover on its way back to finance.
CREATE TABLE refund (
    refund_no INTEGER PRIMARY KEY AUTOINCREMENT, -- our number
    register_no INTEGER NOT NULL, -- whose money
    bank TEXT NOT NULL, -- its share
    via_bank TEXT NOT NULL, -- the bank that holds the pool account
    pool_account TEXT NOT NULL, -- out of which it goes back
    voucher_no TEXT NOT NULL, -- original voucher
    payments INTEGER NOT NULL, -- payments listed
    sum_fen INTEGER NOT NULL, -- their sum
    state TEXT NOT NULL, -- open, confirmed, refused, withdrawn
    opened_at_ms INTEGER NOT NULL, -- when
    state_at_ms INTEGER NOT NULL -- when it came into that state
) STRICT;

CREATE INDEX refund_register ON refund (register_no);

-- The payments that a refund lists, also of one that was not made: what is free again belongs to none.
CREATE TABLE refund_line (
    refund_no INTEGER NOT NULL, -- the refund
    line INTEGER NOT NULL, -- the payment's line in the register of the refund
    amount_fen INTEGER NOT NULL, -- its amount
    PRIMARY KEY (refund_no, line)
) STRICT, WITHOUT ROWID;

-- Double-entry: every movement of money, by share and event, never by payment.
CREATE TABLE posting (
    posting_no INTEGER PRIMARY KEY AUTOINCREMENT, -- order of writing
    register_no INTEGER NOT NULL, -- the share
    bank TEXT NOT NULL, -- the share
    from_place TEXT NOT NULL, -- where the money was
    to_place TEXT NOT NULL, -- where it is now
    payments INTEGER NOT NULL, -- how many payments
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0), -- how much
    event TEXT NOT NULL, -- why: the journal's kind
    batch_no INTEGER, -- by which batch
    refund_no INTEGER, -- by which refund
    result_no INTEGER, -- by which result
    at_ms INTEGER NOT NULL -- when
) STRICT;

CREATE INDEX posting_register ON posting (register_no);

-- Outbox: what is told to whom, until it is acknowledged.
CREATE TABLE report (
    report_no INTEGER PRIMARY KEY AUTOINCREMENT, -- order of making
    report_id TEXT NOT NULL UNIQUE, -- the id finance sees; the same at every repetition
    register_no INTEGER NOT NULL, -- about which register
    kind TEXT NOT NULL, -- receipt, set_aside, results, notices, refund, closing
    recipient_kind TEXT NOT NULL, -- finance, department, town
    recipient TEXT NOT NULL, -- its name
    subject_no INTEGER NOT NULL, -- the result or refund it tells of, or 0
    body TEXT NOT NULL, -- JSON of what facts alone do not say (receipt, closing account)
    state TEXT NOT NULL, -- due, acknowledged
    made_at_ms INTEGER NOT NULL, -- when
    next_at_ms INTEGER NOT NULL, -- when to send it next
    tries INTEGER NOT NULL, -- how often it was sent
    trouble TEXT NOT NULL, -- why the last try was not acknowledged
    acknowledged_at_ms INTEGER -- when finance acknowledged it
) STRICT;

CREATE INDEX report_due ON report (next_at_ms) WHERE state = 'due';
CREATE INDEX report_register ON report (register_no);

-- What somebody must look at.
CREATE TABLE alert (
    alert_no INTEGER PRIMARY KEY AUTOINCREMENT, -- order of raising
    kind TEXT NOT NULL, -- a word of the list in model/alert
    subject TEXT NOT NULL, -- what it is about, as people see it
    register_no INTEGER, -- the register, where there is one
    batch_no INTEGER, -- the batch, where there is one
    level INTEGER NOT NULL, -- for deadlines the percentage, else 0
    text TEXT NOT NULL, -- plain Chinese: what happened and what to do, without personal data
    raised_at_ms INTEGER NOT NULL, -- when
    text_at_ms INTEGER NOT NULL, -- when its text was written: that follows, now and then
    cleared_at_ms INTEGER, -- when it was over
    UNIQUE (kind, subject, level)
) STRICT;

CREATE INDEX alert_open ON alert (raised_at_ms) WHERE cleared_at_ms IS NULL;

-- Hash chains, one per register and per bank; one entry per transaction (I18).
CREATE TABLE journal (
    chain TEXT NOT NULL, -- register:NO, bank:CODE, alerts, daemon
    seq INTEGER NOT NULL, -- 1, 2, ...
    at_ms INTEGER NOT NULL, -- when
    kind TEXT NOT NULL, -- what happened
    body TEXT NOT NULL, -- JSON: the facts of it
    rows_digest BLOB NOT NULL, -- digest over the rows written with it
    hash BLOB NOT NULL, -- over the entry before, and this one
    PRIMARY KEY (chain, seq)
) STRICT, WITHOUT ROWID;

-- The head of each chain.
CREATE TABLE journal_head (
    chain TEXT NOT NULL PRIMARY KEY, -- the chain
    seq INTEGER NOT NULL, -- its last entry
    hash BLOB NOT NULL -- that entry's hash
) STRICT;
