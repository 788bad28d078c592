//! The README's connection that stays, with its lines as they stand there: the daemon and a practice bank as
//! processes, in the clear and by TLS, several batches on one connection, and heartbeats in the pauses.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use daifa::sandbox::bank::{read_book, read_references};

use crate::doors::{
    CITY, PAYMENTS, Running, credited, paid_out_of, readme, table, until, with_door,
};
use crate::front::{Authority, NAME};

const HEARTBEAT: &[u8] = b"01     ?";

/// What stands between the daemon and its bank: it passes everything on, and counts.
#[derive(Default)]
struct Counted {
    connections: AtomicUsize,
    /// Heartbeats of the daemon; none, where nobody in between can read.
    heartbeats: AtomicUsize,
}

/// Listens, and passes on what comes to the bank that will be heard at `behind`.
fn between(behind: String) -> (u16, Arc<Counted>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let counted = Arc::new(Counted::default());
    let counting = Arc::clone(&counted);
    std::thread::spawn(move || {
        for caller in listener.incoming().map_while(Result::ok) {
            // Before the bank is there, nobody is heard.
            let Ok(bank) = TcpStream::connect(&behind) else { continue };
            counting.connections.fetch_add(1, Ordering::SeqCst);
            let (back_from, back_to) =
                (bank.try_clone().expect("cloned"), caller.try_clone().expect("cloned"));
            let counting = Arc::clone(&counting);
            std::thread::spawn(move || {
                pass(caller, bank, |bytes| {
                    if bytes == HEARTBEAT {
                        counting.heartbeats.fetch_add(1, Ordering::SeqCst);
                    }
                });
            });
            std::thread::spawn(move || pass(back_from, back_to, |_| {}));
        }
    });
    (port, counted)
}

fn pass(mut from: TcpStream, mut to: TcpStream, look: impl Fn(&[u8])) {
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        look(&chunk[..count]);
        if to.write_all(&chunk[..count]).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Both).unwrap_or_default();
}

/// The README's commented line of a connection that stays, as it is where somebody wants it.
fn with_session(door: &str) -> String {
    let wanted = door.replace("\n# session = ", "\nsession = ");
    assert_ne!(wanted, door);
    wanted
}

/// Practises with the README's bank on a socket, and gives back what went on in between. `bank` and `door` are changed
/// by a test.
fn practised(
    change_bank: impl FnOnce(&Path, String) -> String,
    change_door: impl FnOnce(&Path, String) -> String,
) -> Arc<Counted> {
    let mut bank = None;
    let mut counted = None;
    let mut data = None;
    let _all = paid_out_of(&[], "beside", |folder, config| {
        for name in ["beside", "beside/outgoing", "beside/incoming"] {
            std::fs::create_dir(folder.join(name)).expect("made");
        }
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("bound").to_string();
        drop(free);
        let (port, counting) = between(address.clone());
        let here = |text: &str| {
            let text = text.replace("/srv/practice", &folder.display().to_string());
            text.replace("127.0.0.1:7005", &address)
                .replace("127.0.0.1:7002", &format!("{NAME}:{port}"))
        };
        let beside =
            here(&table("format = \"example-abc-framed\"\nbook = \"/srv/practice/beside/bank\""));
        let (beside, _) = beside.split_once("[faults]").expect("its faults");
        // Results take a while, so that there are pauses between the questions.
        let beside = format!("result_after = \"1500ms\"\n{beside}");
        std::fs::write(folder.join("beside.toml"), change_bank(folder, beside)).expect("written");
        let arguments = ["sandbox", "bank", "--config", "beside.toml"];
        bank = Some(Running::start(folder, &arguments));
        until("the bank", || TcpStream::connect(&address).ok());
        let door = change_door(folder, here(&with_session(&readme("socket"))));
        let config =
            with_door(config, CITY, &format!("{door}{}", here(&table("[bank.side_door]\n"))));
        let (before, table) = config.split_once(&format!("code = \"{CITY}\"")).expect("the bank");
        let table = table.replacen("example-city-xml", "example-abc-framed", 1);
        // Longer than a connection is taken on trust, so that a question behind a pause needs a heartbeat.
        let table = table.replacen("ask_every = \"200ms\"", "ask_every = \"500ms\"", 1);
        counted = Some(counting);
        data = Some(folder.to_owned());
        format!("{before}code = \"{CITY}\"\nrows_max = 3{table}")
    });
    let data = data.expect("it was practised");
    until("the results", || credited(&data).filter(|count| *count == PAYMENTS as i64));
    let book = data.join("beside/bank");
    let verdict = read_book(&book).expect("the book reads");
    assert!(verdict.requests >= 3, "several batches: {verdict:?}");
    assert_eq!((verdict.refused, &verdict.credits_twice, &verdict.offences), (0, &vec![], &vec![]));
    for (reference, fared) in read_references(&book).expect("the book reads") {
        assert_eq!(fared.taken, 1, "{reference}");
    }
    drop(bank);
    counted.expect("it was practised")
}

#[test]
fn the_readmes_connection_that_stays_carries_all_batches() {
    let counted = practised(|_, bank| bank, |_, door| door);
    assert_eq!(counted.connections.load(Ordering::SeqCst), 1);
    assert!(counted.heartbeats.load(Ordering::SeqCst) > 0, "it proved itself after a pause");
}

#[test]
fn a_connection_that_stays_carries_all_batches_by_tls_too() {
    let authority = Authority::new("the bank's authority");
    let (certificate, key) = authority.server_files();
    let counted = practised(
        |folder, bank| {
            for (name, text) in
                [("c.pem", &*certificate), ("k.pem", &*key), ("ca.pem", authority.pem())]
            {
                std::fs::write(folder.join(name), text).expect("written");
            }
            let shown = "certificate = \"c.pem\"\nkey = \"k.pem\"\nsession = ";
            bank.replacen("session = ", shown, 1)
        },
        |folder, door| {
            let ca_file =
                format!("security = \"tls\"\nca_file = \"{}/ca.pem\" #", folder.display());
            let door = door.replacen("security = \"plain\"", &ca_file, 1);
            // The same bytes, spelled in digits.
            door.replacen("\"01     ?\"", "\"hex:3031 2020202020 3F\"", 1)
        },
    );
    assert_eq!(counted.connections.load(Ordering::SeqCst), 1);
    assert_eq!(counted.heartbeats.load(Ordering::SeqCst), 0, "nobody in between reads along");
}
