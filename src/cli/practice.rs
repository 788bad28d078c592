//! `daifa practice`: the practice finance and banks in a process of their own, so that a daemon
//! can be killed without them; and what the demo builds its house from.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;

use crate::cli::{sandbox, say};
use crate::clock::Clock;
use crate::config::Counterpart;
use crate::guard::key::Key;
use crate::lifecycle::{Exit, Stop};
use crate::sandbox::bank::PracticeBank;
use crate::sandbox::finance::{self, BankCode};
use crate::store::{Location, Store, StoreError};

/// The shape of the practice: the same in `demo`, `bench` and `practice`.
#[derive(Debug, Clone, Args)]
pub struct Shape {
    /// Registers that the practice finance approves.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub registers: u16,
    /// Payments in each register.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(i64).range(1..=10_000_000))]
    pub payments: i64,
    /// Practice banks: file banks and message banks in turn.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub banks: u8,
    /// Call the message banks on sockets instead of by HTTP.
    #[arg(long)]
    pub sockets: bool,
    /// The message banks call the daemon with what they have to say, instead of waiting to be asked.
    #[arg(long, conflicts_with = "sockets")]
    pub push: bool,
    /// Keep the daemon's facts in this PostgreSQL database instead of an embedded SQLite file. It must
    /// be empty, or the one that a practice in the same folder began with.
    #[arg(long, value_name = "URL")]
    pub database: Option<SecretString>,
    /// The seed of the practice data.
    #[arg(long, default_value_t = 1, hide = true)]
    pub seed: u64,
    /// What the registers are like, in turn.
    #[arg(long, hide = true, value_delimiter = ',', default_value = "clean,troubled,lost")]
    pub kinds: Vec<String>,
    /// The practice banks pay again whatever they are given again.
    #[arg(long, hide = true)]
    pub no_dedup: bool,
}

#[derive(Debug, Args)]
pub struct PracticeArgs {
    #[command(flatten)]
    shape: Shape,
    /// Where the practice counterparts keep their books, and where `daifa.toml` is written.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where the daemon of `daifa.toml` will serve its page.
    #[arg(long, default_value = "127.0.0.1:8740")]
    listen: SocketAddr,
}

/// The practice counterparts at work.
pub struct Practice {
    pub finance: finance::Handle,
    pub banks: Vec<PracticeBank>,
    /// The daemon's config, as a file that `daifa run` takes.
    pub config: PathBuf,
}

/// Is bank number `at` one that takes files? They alternate.
const fn takes_files(at: u8) -> bool {
    at.is_multiple_of(2)
}

fn code(at: u8) -> String {
    format!("{}-{}", if takes_files(at) { "rural" } else { "city" }, at + 1)
}

/// Starts the practice finance and banks in `data` and writes the config of a daemon that works
/// with them. Books that are there are gone on with.
///
/// # Errors
/// Why a book, folder or listener cannot be used.
pub async fn start(
    shape: &Shape,
    data: &Path,
    listen: SocketAddr,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Practice> {
    std::fs::create_dir_all(data).with_context(|| format!("making {}", data.display()))?;
    let data = data.canonicalize().with_context(|| format!("finding {}", data.display()))?;
    let mut keys = Vec::new();
    for name in ["seal.key", "blind.key", "finance.key"] {
        keys.push(key_file(&data.join(name))?);
    }
    let finance_key = keys.pop().expect("three keys were made");
    let database = match &shape.database {
        None => String::new(),
        Some(url) => claim(url, &data, clock.as_ref()).await?,
    };
    let mut banks = Vec::new();
    let mut tables = String::new();
    for at in 0..shape.banks {
        let (bank, table) = start_bank(at, &data, shape, clock).await?;
        banks.push(bank);
        tables.push_str(&table);
    }
    let finance = start_finance(shape, &data, finance_key, clock).await?;
    let config = data.join("daifa.toml");
    tables.push_str(&database);
    let text = config_text(&data, listen, &finance.base_url(), &code(0), &tables);
    std::fs::write(&config, text).with_context(|| format!("writing {}", config.display()))?;
    Ok(Practice { finance, banks, config })
}

/// Reads a key file, or makes one that only its owner reads.
fn key_file(path: &Path) -> anyhow::Result<Key> {
    if !path.exists() {
        private_file(path, &Key::random().hex())?;
    }
    Ok(Key::parse(&std::fs::read(path).with_context(|| format!("reading {}", path.display()))?)?)
}

/// Writes a file that only its owner reads. A kill in between leaves none rather than half of one.
fn private_file(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let new = path.with_extension("new");
    let mut file = std::fs::File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&new)
        .with_context(|| format!("making {}", new.display()))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path).with_context(|| format!("making {}", path.display()))
}

/// Marks a `PostgreSQL` database as this folder's, and gives the config's table for it. One that
/// anybody else has begun to use is refused: practice money must not stand beside real money, and
/// another folder's keys open none of its rows.
async fn claim(url: &SecretString, data: &Path, clock: &dyn Clock) -> anyhow::Result<String> {
    let mark = key_file(&data.join("database.mark"))?.hex();
    let location = Location::Postgres(url.expose_secret().to_owned());
    let store = match Store::attach(&location).await {
        // There are no tables of ours yet, or a kill broke off their making.
        Err(StoreError::Migrate { .. }) => Store::open(&location).await?,
        attached => attached?,
    };
    if store.meta("practice").await?.is_none() && store.meta("install").await?.is_none() {
        store.meta_once("practice", &mark, clock.now_ms()).await?;
    }
    let found = store.meta("practice").await?;
    store.close().await;
    if found.as_deref() != Some(mark.as_str()) {
        let whose = if found.is_some() { "a practice in another folder" } else { "a daemon" };
        let cause = format!(
            "the database is not empty: it belongs to {whose}; practice needs an empty one, or the \
             --data folder that began with it"
        );
        return Err(StoreError::Refused(cause).into());
    }
    let file = data.join("database.url");
    private_file(&file, url.expose_secret())?;
    let file = file.display();
    Ok(format!("\n[database]\nkind = \"postgres\"\nurl = {{ file = \"{file}\" }}\n"))
}

async fn start_finance(
    shape: &Shape,
    data: &Path,
    key: Key,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<finance::Handle> {
    let kinds = shape
        .kinds
        .iter()
        .map(|kind| {
            finance::RegisterKind::parse(kind)
                .with_context(|| format!("no kind of register is called {kind:?}"))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let folder = data.join("finance");
    std::fs::create_dir_all(&folder)?;
    let options = finance::Options {
        seed: shape.seed,
        registers: usize::from(shape.registers),
        payments: shape.payments,
        banks: (0..shape.banks)
            .map(|at| BankCode { code: code(at), gbk: !takes_files(at) })
            .collect(),
        kinds,
        data: folder,
        key,
        ..finance::Options::practice()
    };
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let handle = finance::start(options, listener, Arc::clone(clock))?;
    // The digests of large registers take a while; nothing is listed before they are known.
    let finance = Arc::clone(handle.finance());
    tokio::task::spawn_blocking(move || finance.prepare()).await?;
    Ok(handle)
}

async fn start_bank(
    at: u8,
    data: &Path,
    shape: &Shape,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<(PracticeBank, String)> {
    let code = code(at);
    let name = if takes_files(at) { "example-rural-fixed" } else { "example-city-xml" };
    let folder = data.join(&code);
    let (own, out, back) = (folder.join("bank"), folder.join("outgoing"), folder.join("incoming"));
    for folder in [&own, &out, &back] {
        std::fs::create_dir_all(folder)?;
    }
    let met = |listen: SocketAddr| {
        let (out, back) = (out.display(), back.display());
        match (takes_files(at), shape.sockets) {
            (true, _) => {
                format!("kind = \"directory\"\noutgoing = \"{out}\"\nincoming = \"{back}\"\n")
            }
            (false, true) => format!("kind = \"socket\"\nlisten = \"{listen}\"\n"),
            (false, false) => format!("kind = \"https\"\nlisten = \"{listen}\"\n"),
        }
    };
    let calls = if shape.push && !takes_files(at) { Some(calls(&folder).await?) } else { None };
    let (calling, heard) = calls.unzip();
    let calling = calling.unwrap_or_default();
    let said = |listen| {
        format!(
            "# A practice bank; `daifa sandbox bank --config` runs it by itself.\n\
             format = \"{name}\"\nbook = \"{}\"\ndedup = {}\n{calling}\n[door]\n{}",
            own.display(),
            !shape.no_dedup,
            met(listen)
        )
    };
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let bank = sandbox::start(&Counterpart::parse(&said(listen))?, Arc::clone(clock)).await?;
    let file = folder.join("bank.toml");
    std::fs::write(&file, said(bank.address().unwrap_or(listen)))
        .with_context(|| format!("writing {}", file.display()))?;
    let door = match bank.address() {
        Some(address) if shape.sockets => {
            format!("kind = \"socket\"\naddress = \"{address}\"\nsecurity = \"plain\"")
        }
        Some(address) => format!("kind = \"https\"\nurl = \"http://{address}/\""),
        None => format!(
            "kind = \"directory\"\noutgoing = \"{}\"\nincoming = \"{}\"\narchive = \"{}\"\nquarantine = \"{}\"\ncontrol_suffix = \".ok\"",
            out.display(),
            back.display(),
            folder.join("archive").display(),
            folder.join("quarantine").display(),
        ),
    };
    // Notices and returns are asked for a good deal longer than all of it takes on a slow machine, or those
    // of the first batches are waited for in vain; and the more batches, the less often.
    let work = shape.payments * i64::from(shape.registers);
    let people = if takes_files(at) { "练习农商行" } else { "练习城商行" };
    let table = format!(
        "\n[[bank]]\ncode = \"{code}\"\nname = \"{people}{}\"\nformat = \"{name}\"\n\
         visibility_delay = \"500ms\"\nduplicate_window = \"72h\"\nask_after = \"{}\"\nask_every = \"200ms\"\nreturn_every = \"{}ms\"\nreturn_window = \"{}s\"\n\
         resend_after = \"100ms\"\nbreaker = {{ rest = \"1s\" }}\n[bank.door]\n{door}\n{}",
        at + 1,
        // Some banks answer by themselves; asking is for silence.
        if takes_files(at) || shape.push { "2s" } else { "100ms" },
        300 + work / 1_000,
        60 + work / 4_000,
        heard.unwrap_or_default(),
    );
    Ok((bank, table))
}

/// An address of this machine that is free now, and that nobody else comes by: somebody who calls from
/// 127.0.0.1 may be given any port of that in the moment before it is listened on.
async fn free_address() -> std::io::Result<SocketAddr> {
    let [net, host, last]: [u8; 3] = crate::guard::random::bytes();
    let own = [127, 64 + net % 64, host, 1 + last % 254];
    TcpListener::bind(SocketAddr::from((own, 0))).await?.local_addr()
}

/// A bank that calls: what its own config says of that, and the daemon's table for it.
async fn calls(folder: &Path) -> anyhow::Result<(String, String)> {
    let secret = folder.join("push.key");
    key_file(&secret)?;
    let free = free_address().await?;
    let secret = secret.display();
    let bank = format!(
        "push = {{ url = \"http://{free}/push\", header = \"x-bank-code\", secret = \"{secret}\" }}\n"
    );
    let daemon = format!(
        "[bank.push]\nlisten = \"{free}\"\npath = \"/push\"\n\
         signing = {{ algorithm = \"hmac-sha256\", header = \"x-bank-code\", secret = {{ file = \"{secret}\" }} }}\n"
    );
    Ok((bank, daemon))
}

fn config_text(
    data: &Path,
    listen: SocketAddr,
    finance: &str,
    pool_bank: &str,
    banks: &str,
) -> String {
    let data = data.display();
    format!(
        "# Written by the practice counterparts; a real config looks the same.\n\
         data = \"{data}/daifa\"\nlisten = \"{listen}\"\nlog = \"warn\"\n\n\
         [keys]\ncurrent = 1\nseal = [{{ id = 1, secret = {{ file = \"{data}/seal.key\" }} }}]\n\
         blind = {{ id = 1, secret = {{ file = \"{data}/blind.key\" }} }}\n\n\
         [[source]]\nname = \"practice\"\nurl = \"{finance}\"\nkey_id = \"practice\"\nsecret = {{ file = \"{data}/finance.key\" }}\n\n\
         [duty]\nstart = \"later_of_received_and_funded\"\npool_bank = \"{pool_bank}\"\n\n\
         [pace]\npull_every = \"200ms\"\narrivals_every = \"50ms\"\nreport_retry = \"200ms\"\n{banks}"
    )
}

pub async fn run(args: PracticeArgs, clock: Arc<dyn Clock>) -> anyhow::Result<Exit> {
    let stop = Stop::on_signals()?;
    let practice = start(&args.shape, &args.data, args.listen, &clock).await?;
    say(format_args!("practice finance at {}", practice.finance.base_url()))?;
    for bank in &practice.banks {
        say(format_args!(
            "practice bank at {}",
            bank.address().map_or_else(|| "its folders".to_owned(), |at| at.to_string())
        ))?;
    }
    say(format_args!("now run: daifa run --config {}", practice.config.display()))?;
    stop.soft().cancelled().await;
    practice.stop().await?;
    Ok(Exit::Done)
}

impl Practice {
    /// Stops all of them.
    ///
    /// # Errors
    /// Where one of them failed.
    pub async fn stop(self) -> anyhow::Result<()> {
        for bank in self.banks {
            bank.stop().await;
        }
        Ok(self.finance.stop().await?)
    }
}
