//! Ceph's gateway `radosgw` over one monitor and one store in memory.

use std::path::PathBuf;
use std::process::Command;

use super::{Absent, Processes, User, free_ports, listens, made, on_path};

/// A running gateway.
#[derive(Debug)]
pub struct Radosgw {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    _processes: Processes,
}

impl Radosgw {
    /// Owns the buckets.
    pub const OWNER: User = User {
        key: "AKIDOWNER",
        secret: "owner-secret-owner-secret",
    };
    /// Owns nothing: may do what a bucket's policy says.
    pub const GUEST: User = User {
        key: "AKIDGUEST",
        secret: "guest-secret-guest-secret",
    };

    /// Starts it.
    ///
    /// # Errors
    /// [`Absent`] when it is not installed.
    ///
    /// # Panics
    /// When it is installed and does not start.
    pub fn start() -> Result<Self, Absent> {
        let [mon, osd, gateway, admin] = programs(["ceph-mon", "ceph-osd", "radosgw", "radosgw-admin"])?;
        let mut processes = Processes::in_directory("radosgw");
        let [v2, v1, port] = free_ports();
        let monitors = format!("[v2:127.0.0.1:{v2},v1:127.0.0.1:{v1}]");
        let fsid = uuid();
        for folder in ["mon", "osd", "run"] {
            made(&processes.path(folder));
        }
        let folder = processes.shown("");
        processes.write(
            "ceph.conf",
            &configuration(folder.trim_end_matches('/'), &fsid, &monitors, port),
        );
        let ceph = |program: &PathBuf, arguments: &[&str]| {
            let mut command = Command::new(program);
            command
                .args(["-c", &processes.shown("ceph.conf")])
                .args(arguments)
                .current_dir(&processes.directory);
            processes.run(&mut command)
        };
        let [keys, maps, cli] = programs(["ceph-authtool", "monmaptool", "ceph"])?;
        let all = ["--cap", "mon", "allow *", "--cap", "osd", "allow *"];
        let create = [
            "--create-keyring",
            "keyring",
            "--gen-key",
            "-n",
            "mon.",
            "--cap",
            "mon",
            "allow *",
        ];
        ceph(&keys, &create);
        for name in ["client.admin", "client.rgw.a"] {
            ceph(
                &keys,
                &[&["keyring", "--gen-key", "-n", name], all.as_slice()].concat(),
            );
        }
        ceph(
            &maps,
            &["--create", "--addv", "a", &monitors, "--fsid", &fsid, "monmap"],
        );
        ceph(
            &mon,
            &["--mkfs", "-i", "a", "--monmap", "monmap", "--keyring", "keyring"],
        );
        let secret = ceph(&keys, &["--gen-print-key"]);
        processes.write(
            "secret.json",
            &format!("{{\"cephx_secret\": \"{}\"}}", secret.trim()),
        );
        let conf = processes.shown("ceph.conf");
        let daemon = |arguments: &[&str]| -> Vec<String> {
            [&["-c", conf.as_str()], arguments]
                .concat()
                .into_iter()
                .map(str::to_owned)
                .collect()
        };
        processes.start("ceph-mon", &mon, &daemon(&["-i", "a", "-f"]));
        processes.await_ready("the monitor", || listens(v2));
        let ceph = |processes: &Processes, program: &PathBuf, arguments: &[&str]| {
            let mut command = Command::new(program);
            command
                .args(["-c", &conf])
                .args(arguments)
                .current_dir(&processes.directory);
            processes.run(&mut command)
        };
        let osd_id = uuid();
        ceph(
            &processes,
            &cli,
            &[
                "--connect-timeout",
                "60",
                "osd",
                "new",
                &osd_id,
                "0",
                "-i",
                "secret.json",
            ],
        );
        let key = [
            "--create-keyring",
            "osd/keyring",
            "-n",
            "osd.0",
            "--add-key",
            secret.trim(),
        ];
        ceph(&processes, &keys, &key);
        let keyring = processes.shown("osd/keyring");
        ceph(
            &processes,
            &osd,
            &["-i", "0", "--keyring", &keyring, "--mkfs", "--osd-uuid", &osd_id],
        );
        processes.start(
            "ceph-osd",
            &osd,
            &daemon(&["--keyring", &keyring, "-i", "0", "-f"]),
        );
        // It waits for the store to be there.
        for (name, user) in [("owner", Self::OWNER), ("guest", Self::GUEST)] {
            let uid = format!("--uid={name}");
            let display = format!("--display-name={name}");
            let key = format!("--access-key={}", user.key);
            let secret = format!("--secret-key={}", user.secret);
            ceph(
                &processes,
                &admin,
                &["user", "create", &uid, &display, &key, &secret],
            );
        }
        processes.start("radosgw", &gateway, &daemon(&["-n", "client.rgw.a", "-f"]));
        processes.await_ready("radosgw", || listens(port));
        Ok(Self {
            url: format!("http://127.0.0.1:{port}"),
            _processes: processes,
        })
    }
}

fn programs<const N: usize>(names: [&str; N]) -> Result<[PathBuf; N], Absent> {
    let found = names.map(|name| (name, on_path(name)));
    if let Some((name, _)) = found.iter().find(|(_, path)| path.is_none()) {
        return Err(Absent(format!(
            "no {name} on PATH; scripts/test-deps.sh installs it"
        )));
    }
    Ok(found.map(|(_, path)| path.unwrap_or_default()))
}

fn uuid() -> String {
    let uuid = std::fs::read_to_string("/proc/sys/kernel/random/uuid");
    uuid.unwrap_or_else(|why| panic!("no uuid: {why}"))
        .trim()
        .to_owned()
}

fn configuration(folder: &str, fsid: &str, monitors: &str, port: u16) -> String {
    format!(
        "[global]
fsid = {fsid}
mon host = {monitors}
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
osd objectstore = memstore
memstore device bytes = 2147483648
run dir = {folder}/run
admin socket = {folder}/run/$name.asok
log file = {folder}/run/$name.log
pid file = {folder}/run/$name.pid
keyring = {folder}/keyring
crash dir = {folder}/run
mon data = {folder}/mon
osd data = {folder}/osd
mon data avail crit = 1

[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw dns name = s3.localhost
rgw enable usage log = false
"
    )
}
