//! Power cuts on a real filesystem: ext4 on an image file, shut down under load without flushing its log, mounted again.
//!
//! A child process fills a spool on the image and says on its standard output what was acknowledged; we, outside of the
//! image, write that down. At a random acknowledgement the filesystem is shut down, as if the plug were pulled; the child
//! goes on until the disk tells it. After the next mount everything that was written down must be there. The spool grows
//! over all rounds, so recovery is recovered from too.
//!
//! What is heard after the shutdown has begun does not count. Nobody hears anything of a machine without power; here
//! one does, and `fdatasync` on ext4 may report success when the journal is taken away while it waits for it.
//!
//! That the test can fail is part of it: the same with a storage that swallows every sync must lose something.
//!
//! Needs root, loop devices, `mkfs.ext4` and `xfs_io`; says so and passes where they are missing.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test says what it skips and counts, and panics where it cannot go on"
)]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use auditship::random::{OsRandom, Random, SeededRandom};
use auditship::seal::verify;
use auditship::spool::AppendError;
use auditship::spool::storage::Storage;
use auditship::spool::storage::fs::FsStorage;
use auditship::time::Timestamp;
use support::feed::{Holdings, Size, Source, WITH_ID, event_id, open};
use support::unsynced::Unsynced;

/// Rounds with a storage that syncs.
const ROUNDS: u64 = 50;
/// Within so many rounds one that does not sync must have lost something.
const UNSYNCED_ROUNDS: u64 = 5;
/// The latest acknowledgement at which a round is cut.
const MOST: u64 = 120;

/// Tells a child to work, and how: the directory, the first chunk, the seed, whether to sync.
const CHILD: &str = "AUDITSHIP_TEST_POWER_CUT_CHILD";

#[test]
fn what_was_acknowledged_survives_power_cuts() {
    if let Ok(orders) = std::env::var(CHILD) {
        work(&orders);
        return;
    }
    let Some(disk) = Disk::new() else { return };
    let seed = OsRandom::new().next_u64().unwrap();
    println!("seed {seed}");
    let mut run = Run::new(disk, seed, "sync");
    for round in 0..ROUNDS {
        let lost = run.round(round);
        assert!(lost.is_empty(), "seed {seed}, round {round}: lost {lost:?}");
    }
    println!("{} chunks in {ROUNDS} rounds", run.acknowledged.len());
    assert!(run.acknowledged.len() as u64 >= ROUNDS);
}

#[test]
fn without_sync_something_is_lost() {
    if std::env::var_os(CHILD).is_some() {
        return;
    }
    let Some(disk) = Disk::new() else { return };
    let mut run = Run::new(disk, 1, "no-sync");
    let lost = (0..UNSYNCED_ROUNDS).any(|round| !run.round(round).is_empty());
    assert!(
        lost,
        "the test above cannot fail: {UNSYNCED_ROUNDS} power cuts lost nothing"
    );
}

// ---- the child

/// Appends chunks until the disk fails, and says which were acknowledged.
fn work(orders: &str) {
    let orders: Vec<&str> = orders.split('|').collect();
    let [path, first, seed, sync] = orders[..] else {
        panic!("{orders:?}")
    };
    let (first, seed) = (first.parse::<u64>().unwrap(), seed.parse().unwrap());
    let real = FsStorage::create(path).unwrap();
    let storage: Arc<dyn Storage> = match sync {
        "sync" => Arc::new(real),
        _ => Arc::new(Unsynced(real)),
    };
    let (mut writer, _) = open(storage, Size::MIDDLE, seed).unwrap();
    let mut source = Source::new();
    let mut fill = || -> Result<(), AppendError> {
        let mut waiting = Vec::new();
        for number in first.. {
            source.hand_over(&mut writer, number)?;
            waiting.push(number);
            if number % 3 != 1 {
                writer.sync()?;
                waiting
                    .drain(..)
                    .for_each(|number| println!("acknowledged {number}"));
                writer.maintain(Timestamp(0));
            }
        }
        Ok(())
    };
    // The end of a power cut, as a process sees it.
    let _: Result<(), AppendError> = fill();
}

/// Kills and reaps the child, however the test ends.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

// ---- the rounds

struct Run {
    disk: Disk,
    dice: SeededRandom,
    sync: &'static str,
    acknowledged: BTreeSet<u64>,
    /// Unacknowledged chunks come again, so nothing is left out.
    next: u64,
}

impl Run {
    fn new(disk: Disk, seed: u64, sync: &'static str) -> Self {
        Self {
            disk,
            dice: SeededRandom::new(seed),
            sync,
            acknowledged: BTreeSet::new(),
            next: 0,
        }
    }

    /// Fills, cuts, mounts again, and compares; the ids that are lost.
    fn round(&mut self, round: u64) -> Vec<String> {
        let orders = format!(
            "{}|{}|{}|{}",
            self.disk.spool().display(),
            self.next,
            2 * round + 1,
            self.sync
        );
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "what_was_acknowledged_survives_power_cuts",
                "--nocapture",
            ])
            .env(CHILD, orders)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut worker = Worker(child);
        let output = BufReader::new(worker.0.stdout.take().unwrap());
        let cut_at = 1 + self.dice.next_u64().unwrap() % MOST;
        let mut heard = 0;
        for line in output.lines() {
            // The harness of the child's test says other things first.
            let line = line.unwrap();
            let Some((_, number)) = line.rsplit_once("acknowledged ") else {
                continue;
            };
            heard += 1;
            if heard <= cut_at {
                self.acknowledged.insert(number.parse().unwrap());
            }
            if heard == cut_at {
                self.disk.cut_power();
            }
        }
        drop(worker);
        assert!(heard >= cut_at, "the child ended by itself in round {round}");
        self.disk.mount_again();
        self.next = self.acknowledged.last().map_or(0, |last| last + 1);
        self.lost(round)
    }

    fn lost(&self, round: u64) -> Vec<String> {
        let storage: Arc<dyn Storage> = Arc::new(FsStorage::create(self.disk.spool()).unwrap());
        let opened = open(Arc::clone(&storage), Size::MIDDLE, 2 * round + 2);
        let Ok((writer, _)) = opened else {
            return vec![format!("everything: {:?}", opened.err())];
        };
        let holdings = Holdings::read(Arc::clone(&storage)).unwrap();
        let numbers = self.acknowledged.iter();
        let ids = numbers.flat_map(|number| (0..WITH_ID).map(|place| event_id(*number, place)));
        let lost: Vec<String> = ids.filter(|id| !holdings.ids.contains_key(id)).collect();
        if lost.is_empty() && self.sync == "sync" {
            assert_eq!(holdings.lost, [], "round {round}");
            assert!(holdings.ids.values().all(|times| *times == 1), "round {round}");
            assert_eq!(writer.totals(), holdings.totals, "round {round}");
            assert_eq!(verify(storage).unwrap().breaks, [], "round {round}");
        }
        lost
    }
}

// ---- the disk

/// An ext4 filesystem on an image file, mounted.
struct Disk {
    directory: tempfile::TempDir,
}

impl Disk {
    /// A new disk; none, with the reason on standard output, where that is not possible.
    fn new() -> Option<Self> {
        let skip = |reason: &str| println!("skipped: power cuts on ext4: {reason}");
        if !rustix::process::geteuid().is_root() {
            skip("only root can mount");
            return None;
        }
        let disk = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        let image = std::fs::File::create(disk.image()).unwrap();
        image.set_len(256 << 20).unwrap();
        std::fs::create_dir(disk.mount_point()).unwrap();
        let image = disk.image();
        let prepared = run("xfs_io", &["-V"], &[])
            .and_then(|()| run("mkfs.ext4", &["-q", "-F"], &[&image]))
            .and_then(|()| disk.mount());
        match prepared {
            Ok(()) => Some(disk),
            Err(reason) => {
                skip(&reason);
                None
            }
        }
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    fn mount_point(&self) -> PathBuf {
        self.directory.path().join("mount")
    }

    fn spool(&self) -> PathBuf {
        self.mount_point().join("spool")
    }

    fn mount(&self) -> Result<(), String> {
        run("mount", &["-o", "loop"], &[&self.image(), &self.mount_point()])
    }

    /// Shuts the filesystem down: nothing more reaches the image, not even the log.
    fn cut_power(&self) {
        run("xfs_io", &["-x", "-c", "shutdown"], &[&self.mount_point()]).unwrap();
    }

    fn mount_again(&self) {
        run("umount", &[], &[&self.mount_point()]).unwrap();
        self.mount().unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a failed test may still have files open.
        let _ = run("umount", &["-l"], &[&self.mount_point()]);
    }
}

fn run(program: &str, options: &[&str], paths: &[&Path]) -> Result<(), String> {
    let mut command = Command::new(program);
    let output = command.args(options).args(paths).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {}: {}", output.status, said.trim()))
}
