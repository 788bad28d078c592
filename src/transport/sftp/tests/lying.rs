//! Servers that are not what they say: another key than the pinned one, and answers that lie.

use std::fs;

use crate::transport::sftp::tests::sshd::Sshd;
use crate::transport::sftp::tests::{Bank, accepted, cause, pair, part, send};
use crate::transport::sftp::{Sftp, SftpOptions, host_key};
use crate::transport::{DoorError, Sent, Transport};

#[tokio::test]
async fn f50_another_host_key_than_the_pinned_one_is_refused() {
    let bank = bank!();
    let other = host_key(&bank.sshd.public("other-host")).expect("a key");
    let door = |keys: &[russh::keys::PublicKey]| {
        Sftp::new(SftpOptions { host_keys: keys.to_vec(), ..bank.options() }).expect("good")
    };
    let changed = door(std::slice::from_ref(&other));
    let sent = send(&changed, &pair()).await;
    let shown = bank.options().host_keys[0].fingerprint(russh::keys::HashAlg::Sha256).to_string();
    assert!(matches!(sent, Sent::NotSent { .. }), "{sent:?}");
    assert!(cause(&sent).contains("not pinned") && cause(&sent).contains(&shown), "{sent:?}");
    assert_eq!(bank.names("out").len(), 0, "nothing was written");
    let listed = changed.arrivals(10).await.expect_err("is refused");
    assert!(listed.to_string().contains(&shown), "{listed}");
    // While a bank changes its key, both are pinned.
    assert!(accepted(&send(&door(&[other, bank.options().host_keys[0].clone()]), &pair()).await));
    assert!(Sftp::new(SftpOptions { host_keys: Vec::new(), ..bank.options() }).is_err());
    assert!(host_key("ssh-rsa AAAA").is_err() && host_key("").is_err());
}

/// A server that says its version and the handle of any folder, and then lies as its argument says. Where
/// nothing is said about a request, it does not exist.
const LIAR: &str = r#"
    $| = 1; binmode STDIN; binmode STDOUT;
    sub need { my ($n, $b) = (shift, ""); while (length $b < $n) {
        sysread(STDIN, $b, $n - length $b, length $b) or exit; } $b }
    sub tell { my $p = shift; print pack("N", length $p), $p; }
    while (1) {
        my ($type, $id) = unpack "CN", need(unpack "N", need(4));
        if ($type == 1) { &tell(pack "CN", 2, 3); next; }
        my $status = pack("CNN", 101, $id, 2) . pack("N/a* N/a*", "no", "");
        if ($type == 4) { &tell(pack("CNN", 101, $id, 0) . pack("N/a* N/a*", "", "")); next; }
        if ($type == 11) { &tell(pack "CN N/a*", 102, $id, "h"); next; }
        if ($type != 12) { &tell($status); next; }
        my $mode = $ARGV[0];
        my $attributes = pack "NNNNNN", 13, 0, 7, 0100644, 1, 1;
        my $file = sub { pack("N/a* N/a*", $_[0], "") . $attributes };
        if ($mode eq "length") { print pack("N", 0x7fffffff), "x" x 100; }
        if ($mode eq "count") { &tell(pack("CNN", 104, $id, 0x7fffffff) . $file->("a.txt")); }
        if ($mode eq "kind") { &tell(pack "CN", 250, $id); }
        if ($mode eq "code") { &tell(pack("CNN", 101, $id, 99) . pack("N/a* N/a*", "no", "")); }
        if ($mode eq "other") { &tell(pack("CNN", 104, $id + 7, 1) . $file->("a.txt")); }
        if ($mode eq "names") {
            my @names = ("../up.txt", "../up.ok", "/etc/x.txt", "/etc/x.ok", "a\x{0}.txt", "\xff.txt");
            &tell(pack("CNN", 104, $id, scalar @names) . join "", map { $file->($_) } @names);
            $ARGV[0] = "end";
        }
        if ($mode eq "end") { &tell(pack("CNN", 101, $id, 1) . pack("N/a* N/a*", "", "")); }
    }
"#;

#[tokio::test]
async fn f52_a_server_that_lies_about_lengths_and_names_is_not_believed() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("liar.pl");
    fs::write(&script, LIAR).expect("written");
    for mode in ["length", "count", "kind", "code", "other", "names"] {
        let command = format!("/usr/bin/perl {} {mode}", script.display());
        let Some(sshd) = Sshd::speaking(&command) else { return };
        let bank = Bank::behind(sshd);
        // An answer to what nobody asked says nothing: only the time ends that. Whatever else it says is
        // refused when it is said, and the time is for a machine that is busy.
        let waits = mode == "other";
        let total_ms = if waits { 1_500 } else { 60_000 };
        let options = SftpOptions { connect_ms: 60_000, total_ms, ..bank.options() };
        let door = Sftp::new(options).expect("good settings");
        match door.arrivals(10).await {
            Ok(names) => assert!(mode == "names" && names.is_empty(), "{mode}: {names:?}"),
            Err(DoorError::Remote { cause, .. }) => {
                assert_eq!(cause.contains("it took longer"), waits, "{mode}: {cause}");
            }
            Err(cause) => panic!("{mode}: {cause}"),
        }
        // What it says of an upload is no better, and nothing was asked for that commits.
        let sent = send(&door, &pair()).await;
        assert!(matches!(sent, Sent::NotSent { .. }), "{mode}: {sent:?}");
    }
}

/// What lies between `sshd` and its own server of files, and has another digit stored than was written: so often as
/// its first argument says. A disk that fails and a gateway that rewrites what passes are both like that.
const REWRITING: &str = r#"
    open(my $server, "|-", "/usr/lib/openssh/sftp-server") or die; binmode STDIN; binmode $server;
    my $left = $ARGV[0];
    while (sysread(STDIN, my $bytes, 65536)) {
        if ($left > 0 && $bytes =~ s/100\.00/900.00/) { $left--; }
        syswrite($server, $bytes);
    }
"#;

#[tokio::test]
async fn f47_what_the_server_keeps_otherwise_than_it_was_written_is_never_handed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("rewriting.pl");
    fs::write(&script, REWRITING).expect("written");
    let parts = [part("DF1.txt", b"pay 100.00", false), part("DF1.ok", b"1", true)];
    for (times, good) in [(0, true), (1, true), (2, false)] {
        let command = format!("/usr/bin/perl {} {times}", script.display());
        let Some(sshd) = Sshd::speaking(&command) else { return };
        let bank = Bank::behind(sshd);
        let options = SftpOptions { connect_ms: 60_000, total_ms: 60_000, ..bank.options() };
        let door = Sftp::new(options).expect("good settings");
        let sent = send(&door, &parts).await;
        assert_eq!(accepted(&sent), good, "{times}: {sent:?}");
        if good {
            // Kept otherwise once, it was written once more.
            assert_eq!(fs::read(bank.path("out/DF1.txt")).expect("read"), b"pay 100.00");
            assert_eq!(bank.seen(), 1, "{times}");
            continue;
        }
        assert!(matches!(sent, Sent::NotSent { .. }), "{sent:?}");
        assert!(cause(&sent).contains("DF1.txt reads back otherwise"), "{sent:?}");
        let visible = bank.names("out").into_iter().filter(|name| !name.starts_with('.'));
        assert_eq!(visible.count(), 0, "the bank sees none of it");
    }
}
