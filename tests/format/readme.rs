//! The README's "Add a bank", followed to the letter: its commands are run as they stand there, with
//! nothing around them but the binary.

use std::path::Path;
use std::process::{Command, Output};

/// The commands of the section, in their order.
fn commands() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once("\n## Add a bank\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let blocks = section.split("```sh\n").skip(1);
    blocks.map(|block| block.split_once("```").unwrap().0).collect()
}

fn shell(folder: &Path, script: &str) -> Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_daifa")).parent().unwrap();
    Command::new("sh")
        .args(["-e", "-c", script])
        .current_dir(folder)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", binary.display()))
        .output()
        .unwrap()
}

#[test]
fn add_a_bank_ends_in_a_passing_check() {
    let folder = tempfile::tempdir().unwrap();
    let script = commands();
    assert!(script.contains("daifa format check my-bank") && script.lines().count() < 100);
    let ran = shell(folder.path(), &script);
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}{err}");
    assert_eq!(err, "");
    assert!(out.contains("bank-formats/my-bank: 2 messages, all samples hold"), "{out}");
    let signed = std::fs::read_to_string(folder.path().join("my-bank.md")).unwrap();
    assert!(signed.contains("| 2 | at most 19 | account | yes | digits |"), "{signed}");
    // The check is one that can fail.
    let spoil = "sed -i 's/|1234|00/|1235|00/' bank-formats/my-bank/samples/result/*.txt
        daifa format check my-bank";
    let spoiled = shell(folder.path(), spoil);
    assert_eq!(spoiled.status.code(), Some(3), "{}", String::from_utf8_lossy(&spoiled.stderr));
}

#[test]
fn a_format_that_begins_with_an_example_passes_and_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    for example in daifa::format::example::names() {
        let begin = format!("daifa format new my-bank-{example} --from {example}");
        let begun = shell(folder.path(), &begin);
        assert!(begun.status.success(), "{}", String::from_utf8_lossy(&begun.stderr));
        let again = shell(folder.path(), &begin);
        assert_eq!(again.status.code(), Some(1), "{example}");
        assert!(String::from_utf8_lossy(&again.stderr).contains("exists"), "{example}");
    }
    let checked = shell(folder.path(), "daifa format check && daifa format list");
    let out = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!(
        out.contains("my-bank-example-core-pipe  [bank]\n    my-bank-example-core-pipe\n"),
        "{out}"
    );
    assert!(out.contains("example-core-pipe  [example] (in the binary)"), "{out}");
    for bad in ["daifa format new ../x --from example-core-pipe", "daifa format new x --from y"] {
        assert!(!shell(folder.path(), bad).status.success(), "{bad}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
