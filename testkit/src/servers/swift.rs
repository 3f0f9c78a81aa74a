//! OpenStack Swift with `s3api` and `tempauth`, one of each server, without a cache.

use std::path::PathBuf;
use std::process::Command;

use super::{Absent, Processes, User, free_ports, listens, made};

/// A running Swift.
#[derive(Debug)]
pub struct Swift {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    _processes: Processes,
}

impl Swift {
    /// May do everything.
    pub const ADMIN: User = User {
        key: "test:tester",
        secret: "testing",
    };
    /// May do nothing.
    pub const NOBODY: User = User {
        key: "test:nobody",
        secret: "nothing",
    };
    /// What it calls its region.
    pub const REGION: &'static str = "us-east-1";

    /// Starts it.
    ///
    /// # Errors
    /// [`Absent`] when it is not installed.
    ///
    /// # Panics
    /// When it is installed and does not start.
    pub fn start() -> Result<Self, Absent> {
        let programs = programs()?;
        let mut processes = Processes::in_directory("swift");
        let [account, container, object, proxy] = free_ports();
        let backends = [("account", account), ("container", container), ("object", object)];
        for folder in ["etc", "node/d1", "cache"] {
            made(&processes.path(folder));
        }
        let etc = processes.path("etc");
        processes.write(
            "etc/swift.conf",
            "[swift-hash]\nswift_hash_path_suffix = x\nswift_hash_path_prefix = y\n\n\
             [storage-policy:0]\nname = default\ndefault = yes\n",
        );
        let user = processes.run(Command::new("id").arg("-un"));
        let common = format!(
            "bind_ip = 127.0.0.1\nuser = {}\nswift_dir = {}\nworkers = 0\nlog_address = /dev/null\nlog_level = WARNING\n",
            user.trim(),
            etc.display(),
        );
        for (kind, port) in backends {
            let folders = format!(
                "devices = {}\nmount_check = false\ndisable_fallocate = true\nfallocate_reserve = 0\nrecon_cache_path = {}\n",
                processes.shown("node"),
                processes.shown("cache"),
            );
            processes.write(
                &format!("etc/{kind}-server.conf"),
                &format!(
                    "[DEFAULT]\nbind_port = {port}\n{common}{folders}\n[pipeline:main]\npipeline = {kind}-server\n\n\
                     [app:{kind}-server]\nuse = egg:swift#{kind}\nreplication_server =\n"
                ),
            );
        }
        processes.write(
            "etc/proxy-server.conf",
            &format!("[DEFAULT]\nbind_port = {proxy}\n{common}{PIPELINE}"),
        );
        processes.write("rings.py", RINGS);
        let rings = backends.map(|(kind, port)| format!("{kind}={port}"));
        processes.run(
            Command::new(programs.join("python"))
                .arg(processes.path("rings.py"))
                .args(rings)
                .current_dir(&etc),
        );
        for kind in ["account", "container", "object", "proxy"] {
            let program = programs.join(format!("swift-{kind}-server"));
            let conf = etc.join(format!("{kind}-server.conf")).display().to_string();
            processes.start(kind, &program, &[conf]);
        }
        processes.await_ready("Swift", || {
            [account, container, object, proxy].into_iter().all(listens)
        });
        Ok(Self {
            url: format!("http://127.0.0.1:{proxy}"),
            _processes: processes,
        })
    }
}

/// Where `scripts/test-deps.sh` puts it.
fn programs() -> Result<PathBuf, Absent> {
    let target = crate::artefacts::target_directory().unwrap_or_else(|why| panic!("{why}"));
    let programs = target.join("test-deps/swift/bin");
    match programs.join("swift-proxy-server").is_file() {
        true => Ok(programs),
        false => Err(Absent(format!(
            "no Swift in {}; scripts/test-deps.sh installs it",
            programs.display()
        ))),
    }
}

const RINGS: &str = "\
import sys
from swift.common.ring import RingBuilder
for kind, port in (argument.split('=') for argument in sys.argv[1:]):
    ring = RingBuilder(4, 1, 1)
    ring.add_dev({'region': 1, 'zone': 1, 'ip': '127.0.0.1', 'port': int(port), 'device': 'd1', 'weight': 1.0})
    ring.rebalance()
    ring.get_ring().save(kind + '.ring.gz')
";

const PIPELINE: &str = "
[pipeline:main]
pipeline = catch_errors listing_formats bulk s3api tempauth slo dlo proxy-server

[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
conn_timeout = 5
node_timeout = 30

[filter:catch_errors]
use = egg:swift#catch_errors

[filter:listing_formats]
use = egg:swift#listing_formats

[filter:bulk]
use = egg:swift#bulk

[filter:s3api]
use = egg:swift#s3api
location = us-east-1
dns_compliant_bucket_names = true
allow_no_owner = true
s3_acl = false

[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
user_test_nobody = nothing

[filter:slo]
use = egg:swift#slo

[filter:dlo]
use = egg:swift#dlo
";
