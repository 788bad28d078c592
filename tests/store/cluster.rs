//! A throw-away PostgreSQL: one cluster per run of the tests, in a folder of its own, reached
//! through a socket in that folder, with the server's own durable settings.
//!
//! A shell of its own keeps it: it waits for the end of its input, which comes with the end of this
//! process however that ends, then stops the server and removes the folder.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

const KEEPER: &str = r#"
set -eu
bin=$1 dir=$2
trap '' INT HUP TERM
end() { "$bin/pg_ctl" --pgdata="$dir/data" --mode=immediate --silent stop || true; rm -rf "$dir"; }
trap end EXIT
"$bin/initdb" --pgdata="$dir/data" --username=postgres --auth=trust --encoding=UTF8 \
    --locale=C.UTF-8 --no-sync >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
"$bin/pg_ctl" --pgdata="$dir/data" --log="$dir/log" --wait --silent \
    --options="-c listen_addresses='' -c unix_socket_directories='$dir'" start \
    || { cat "$dir/log" >&2; exit 1; }
echo ready
cat >/dev/null
"#;

pub struct Cluster {
    folder: PathBuf,
    databases: AtomicU32,
    /// Its open input is what keeps the server.
    _keeper: Child,
}

/// The cluster of this run; none where PostgreSQL is not installed, unless it is required.
pub fn cluster() -> Option<&'static Cluster> {
    static ONE: OnceLock<Option<Cluster>> = OnceLock::new();
    ONE.get_or_init(|| installed().map(|bin| Cluster::start(&bin))).as_ref()
}

/// The folder of the server's programs; none where it is not installed, unless it is required.
pub fn installed() -> Option<PathBuf> {
    let found = programs();
    if found.is_none() {
        let required =
            std::env::var_os("DAIFA_TEST_POSTGRES").is_some_and(|word| word == "required");
        assert!(!required, "PostgreSQL is required here and its initdb is not installed");
        eprintln!("skipped: PostgreSQL is not installed; tests/run installs it");
    }
    found
}

/// The folder with `initdb` and `pg_ctl`: Debian keeps one for each version, outside of PATH.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    folders.into_iter().find(|folder| {
        ["initdb", "pg_ctl", "postgres"].iter().all(|program| folder.join(program).is_file())
    })
}

/// The server refuses to run as root: root hands it to the user that Debian's package makes.
fn as_its_user(folder: &Path) -> Command {
    let root = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
    if !root {
        return Command::new("sh");
    }
    let ids = |option: &str| -> u32 {
        let out = Command::new("id").args([option, "postgres"]).output().expect("id runs");
        assert!(out.status.success(), "there is no user postgres for the server to run as");
        String::from_utf8_lossy(&out.stdout).trim().parse().expect("a number")
    };
    std::os::unix::fs::chown(folder, Some(ids("-u")), Some(ids("-g"))).expect("changes the owner");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh"]);
    command
}

impl Cluster {
    fn start(bin: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("daifa-pg-").tempdir().expect("a folder");
        let folder = folder.keep();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).expect("its own");
        let mut keeper = as_its_user(&folder)
            .args(["-c", KEEPER, "keeper"])
            .args([bin, &folder])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts a shell");
        let mut word = String::new();
        let out = keeper.stdout.take().expect("is piped");
        BufReader::new(out).read_line(&mut word).expect("is read");
        assert_eq!(word.trim(), "ready", "PostgreSQL does not start; its words are above");
        Self { folder, databases: AtomicU32::new(0), _keeper: keeper }
    }

    /// The URL of a new, empty database.
    pub async fn database(&self) -> String {
        let name = format!("daifa_{}", self.databases.fetch_add(1, Ordering::SeqCst));
        let mut admin = PgConnection::connect(&self.url("postgres")).await.expect("connects");
        let sql = format!("CREATE DATABASE {name}");
        admin.execute(AssertSqlSafe(sql)).await.expect("makes a database");
        admin.close().await.expect("closes");
        self.url(&name)
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder.display())
    }
}
