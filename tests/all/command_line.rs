//! What is typed, and the exit code that comes of it.

use assert_cmd::Command;
use tempfile::TempDir;

fn rowsync(folder: &TempDir, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rowsync"));
    let output = command.args(arguments).current_dir(folder.path()).env_clear().output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn wrong_usage_and_wrong_settings_exit_with_2() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.json"), "{}").unwrap();
    for arguments in
        [&["plan"][..], &["fly", "a.json"], &["run", "none.json"], &["check", "a.json"], &["run", "--fast", "a.json"]]
    {
        let (code, stdout, stderr) = rowsync(&folder, arguments);
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(stdout.is_empty() && !stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn init_writes_once() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(rowsync(&folder, &["init"]).0, Some(0));
    let written = std::fs::read_to_string(folder.path().join("rowsync.json")).unwrap();
    assert_eq!(written, rowsync::init::STARTER);
    let (code, _, stderr) = rowsync(&folder, &["init"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("rowsync.json is there already"), "{stderr}");
}

/// As with `rowsync history shop.json | head -1`.
#[test]
fn a_reader_that_has_left_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rowsync"));
    let output = command.arg("init").current_dir(folder.path()).stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn help_is_there_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["run", "plan", "verify", "check", "schema", "undo", "errors", "history", "serve", "init"] {
        let (code, stdout, _) = rowsync(&folder, &[command, "--help"]);
        assert_eq!(code, Some(0));
        assert!(stdout.contains(&format!("Example:\n  rowsync {command}")), "{stdout}");
    }
}
