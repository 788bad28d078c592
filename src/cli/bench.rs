//! `daifa bench`: pull to last report of one register over loopback, with practice counterparts in
//! processes of their own, so that the daemon's time and memory are its own.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use crate::app;
use crate::cli::{attach, say};
use crate::clock::Clock;
use crate::lifecycle::Exit;
use crate::store::Store;

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Payments of the one register; several sizes one after the other.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000")]
    payments: Vec<i64>,
    #[arg(long, default_value_t = 2)]
    banks: u8,
    /// Where books and databases are kept; a fresh folder that is removed again where it is absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// A run that has not ended by then will not: a slow machine takes 1,000 payments a second.
const LIMIT_MS: i64 = 60_000;

/// What one run measured.
struct Measured {
    elapsed_ms: i64,
    peak_kib: u64,
}

pub async fn run(args: BenchArgs, clock: Arc<dyn Clock>) -> anyhow::Result<Exit> {
    say(
        "pull to last report of one register, SQLite with synchronous=FULL, practice finance and banks over loopback",
    )?;
    say(format_args!(
        "{:>10}  {:>9}  {:>12}  {:>12}",
        "payments", "seconds", "payments/s", "peak memory"
    ))?;
    for payments in &args.payments {
        let base = args.data.clone().unwrap_or_else(std::env::temp_dir);
        let folder = base.join(format!("daifa-bench-{}-{payments}", std::process::id()));
        let measured = measure(&args, *payments, &folder, &clock).await;
        if args.data.is_none() && folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        let Measured { elapsed_ms, peak_kib } = measured?;
        say(format_args!(
            "{payments:>10}  {:>5}.{:03}  {:>12}  {:>8} MiB",
            elapsed_ms / 1000,
            elapsed_ms % 1000,
            payments * 1000 / elapsed_ms.max(1),
            peak_kib / 1024
        ))?;
    }
    Ok(Exit::Done)
}

async fn measure(
    args: &BenchArgs,
    payments: i64,
    folder: &std::path::Path,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Measured> {
    let binary = std::env::current_exe()?;
    let mut practice = tokio::process::Command::new(&binary)
        .args(["practice", "--registers", "1", "--kinds", "clean", "--payments"])
        .arg(payments.to_string())
        .args(["--banks", &args.banks.to_string(), "--listen", "127.0.0.1:0", "--data"])
        .arg(folder)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let config = folder.join("daifa.toml");
    for _ in 0..6_000 {
        if config.exists() || practice.try_wait()?.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The file is written in one go, but it may be looked at between its making and its writing.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = clock.now_ms();
    let mut daemon = tokio::process::Command::new(&binary)
        .args(["run", "--config"])
        .arg(&config)
        .kill_on_drop(true)
        .spawn()?;
    let database =
        app::location(&crate::config::Config::read(&config)?).map_err(anyhow::Error::msg)?;
    let store = loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if let Ok(store) = Store::attach(&database).await
            && store.totals().await.is_ok()
        {
            break store;
        }
        anyhow::ensure!(daemon.try_wait()?.is_none(), "the daemon ended early");
    };
    let pid = daemon.id().context("the daemon runs")?;
    let elapsed_ms = loop {
        let totals = store.totals().await?;
        let closed = totals.registers.iter().any(|(state, count)| state == "closed" && *count == 1);
        let notices: i64 = totals.notices.iter().map(|(_, count)| count).sum();
        let elapsed_ms = clock.now_ms() - began;
        if closed && totals.reports_due == 0 && notices >= totals.counts.credited {
            break elapsed_ms;
        }
        anyhow::ensure!(daemon.try_wait()?.is_none(), "the daemon ended early");
        anyhow::ensure!(
            elapsed_ms < LIMIT_MS + payments,
            "no end in sight: closed is {closed}, {} reports are due, {notices} notices came for {} credits",
            totals.reports_due,
            totals.counts.credited
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let peak_kib = peak_kib(pid)?;
    daemon.kill().await?;
    practice.kill().await?;
    drop(attach(&config).await?);
    Ok(Measured { elapsed_ms, peak_kib })
}

/// The most memory that a process had resident, as Linux tells it.
fn peak_kib(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in /proc")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
