//! A disk that is soon full: a tmpfs in a mount namespace of its own, so that nobody else sees it and none is left behind.
//! Root needs no more; whoever is not has to be allowed a user namespace.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const REMEDY: &str = "these tests mount a small tmpfs: run them as root, or allow user namespaces (Debian and Ubuntu: \
    sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0; in a container: with the \
    capability SYS_ADMIN); they also need unshare and nsenter of util-linux";

/// Who mounts has to be root, there at least.
const SCRIPT: &str = "while read -r options; do mount -t tmpfs -o \"$options\" none \"$0\" && echo done || exit; done";

pub struct SmallDisk {
    /// Keeps the namespace and mounts what it is told to, until its input is closed.
    holder: Child,
    answers: BufReader<ChildStdout>,
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounted over a folder, with so many KiB.
    pub fn over(folder: &Path, kib: u32) -> SmallDisk {
        std::fs::create_dir_all(folder).unwrap();
        let mut command = Command::new("unshare");
        command.arg("--mount");
        if !is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["sh", "-c", SCRIPT]).arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = command.spawn().unwrap_or_else(|error| panic!("unshare: {error}; {REMEDY}"));
        let answers = BufReader::new(holder.stdout.take().unwrap());
        let mut disk = SmallDisk { holder, answers, folder: folder.to_owned() };
        disk.mount(&format!("mode=1777,size={kib}k"));
        disk
    }

    fn mount(&mut self, options: &str) {
        let mut line = String::new();
        // Where it could not even begin, its own words say why.
        let _ = writeln!(self.holder.stdin.as_ref().unwrap(), "{options}");
        self.answers.read_line(&mut line).unwrap();
        if line != "done\n" {
            let mut told = String::new();
            self.holder.stderr.take().unwrap().read_to_string(&mut told).unwrap();
            panic!("{}; {REMEDY}", told.trim());
        }
    }

    /// What stands before a command that is to see the disk: as who we are, which is not root of the namespace.
    pub fn inside(&self) -> Vec<String> {
        let folder = self.folder.parent().unwrap().display();
        let enter = format!("nsenter --target {} --mount --wd={folder}", self.holder.id());
        let as_ourselves = format!("--user --preserve-credentials unshare --user --map-user={0} --map-group={0}", id());
        let words = if is_root() { enter } else { format!("{enter} {as_ourselves}") };
        words.split(' ').map(str::to_owned).collect()
    }

    /// The same command, run where it sees the disk.
    pub fn enter(&self, command: &Command) -> Command {
        let inside = self.inside();
        let mut entered = Command::new(&inside[0]);
        entered.args(&inside[1..]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => entered.env(name, value),
                None => entered.env_remove(name),
            };
        }
        entered.stdin(Stdio::null());
        entered
    }

    /// A file of the disk, for whoever stands outside.
    pub fn path(&self, name: &str) -> PathBuf {
        let folder = self.folder.strip_prefix("/").unwrap();
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(folder).join(name)
    }

    /// Takes all the room that is left but so many KiB.
    pub fn leave(&self, kib: u64) {
        self.fill();
        let filler = std::fs::File::options().write(true).open(self.path("filler")).unwrap();
        let rest = filler.metadata().unwrap().len().checked_sub(kib * 1024);
        filler.set_len(rest.expect("there was less room before")).unwrap();
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut file = std::fs::File::create(self.path("filler")).unwrap();
        let full = (0..).find_map(|_| file.write_all(&[0; 4096]).err()).unwrap();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    }

    /// Makes room.
    pub fn grow(&mut self) {
        let _ = std::fs::remove_file(self.path("filler"));
        self.mount("remount,size=128m");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

fn id() -> String {
    let id = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8(id.stdout).unwrap().trim().to_owned()
}

pub fn is_root() -> bool {
    id() == "0"
}
