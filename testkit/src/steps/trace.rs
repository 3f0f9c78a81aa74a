//! The tracer: runs a program, looks at each of its calls that can be a step, and kills it at the wanted one.
//!
//! The program inherits everything from this process. It and all its threads and children are traced, and die with the
//! tracer. Has unsafe code, as [`crate::host`] has, and for the same reason: it plays the kernel's other side.

use std::collections::{BTreeMap, HashSet};
use std::ffi::c_void;
use std::fs::{self, File};
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use super::{Call, KillAt, Moment, Place, Step};

/// How a traced run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are no other ends")]
pub enum End {
    /// At the wanted step.
    AtStep,
    /// By itself, with this exit code.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
}

/// Where a call's file is told.
#[derive(Clone, Copy)]
enum Subject {
    /// An open file: the argument at this index.
    File(usize),
    /// A path: directory descriptor (none: the working directory) and path, by the arguments' indices.
    Path(Option<usize>, usize),
}

/// The calls that can be steps. For a rename or link the new name counts.
const CALLS: &[(libc::c_long, Call, Subject)] = &[
    (libc::SYS_write, Call::Write, Subject::File(0)),
    (libc::SYS_pwrite64, Call::Write, Subject::File(0)),
    (libc::SYS_writev, Call::Write, Subject::File(0)),
    (libc::SYS_pwritev, Call::Write, Subject::File(0)),
    (libc::SYS_pwritev2, Call::Write, Subject::File(0)),
    (libc::SYS_copy_file_range, Call::Write, Subject::File(2)),
    (libc::SYS_sendto, Call::Write, Subject::File(0)),
    (libc::SYS_sendmsg, Call::Write, Subject::File(0)),
    (libc::SYS_fsync, Call::Sync, Subject::File(0)),
    (libc::SYS_fdatasync, Call::Sync, Subject::File(0)),
    (libc::SYS_ftruncate, Call::Resize, Subject::File(0)),
    (libc::SYS_fallocate, Call::Resize, Subject::File(0)),
    (libc::SYS_renameat, Call::Rename, Subject::Path(Some(2), 3)),
    (libc::SYS_renameat2, Call::Rename, Subject::Path(Some(2), 3)),
    (libc::SYS_linkat, Call::Link, Subject::Path(Some(2), 3)),
    (libc::SYS_unlinkat, Call::Unlink, Subject::Path(Some(0), 1)),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rename, Call::Rename, Subject::Path(None, 1)),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_link, Call::Link, Subject::Path(None, 1)),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_unlink, Call::Unlink, Subject::Path(None, 0)),
];

/// Runs `program` until it ends or reaches `kill_at`; gives its end and the steps that it came to.
///
/// # Errors
/// The program cannot be started, or tracing is not allowed here.
pub fn run(program: Command, kill_at: Option<KillAt>) -> io::Result<(End, BTreeMap<Step, u64>)> {
    let mut tracer = Tracer {
        main: start(program)?,
        kill_at,
        seen: BTreeMap::new(),
        threads: HashSet::new(),
        dying: None,
    };
    let end = tracer.watch()?;
    Ok((end, tracer.seen))
}

/// Starts the program with the filter, stopped at its first instruction.
fn start(mut program: Command) -> io::Result<libc::pid_t> {
    let filter = filter();
    // SAFETY: between fork and exec only system calls are made, on memory that was prepared before.
    unsafe {
        program.pre_exec(move || {
            check(libc::ptrace(
                libc::PTRACE_TRACEME,
                0,
                ptr::null_mut::<c_void>(),
                ptr::null_mut::<c_void>(),
            ))?;
            check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0).into())?;
            let program = libc::sock_fprog {
                len: filter.len().try_into().map_err(|_| io::ErrorKind::InvalidInput)?,
                filter: filter.as_ptr().cast_mut(),
            };
            check(
                libc::prctl(
                    libc::PR_SET_SECCOMP,
                    libc::SECCOMP_MODE_FILTER,
                    &raw const program,
                )
                .into(),
            )
        });
    }
    let child = program.spawn()?;
    let main = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    let mut status = 0;
    // SAFETY: waits for the child's stop at exec.
    check(unsafe { libc::waitpid(main, &raw mut status, 0) }.into())?;
    let options = libc::PTRACE_O_EXITKILL
        | libc::PTRACE_O_TRACESECCOMP
        | libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACEEXEC;
    // SAFETY: the child is stopped and traced by this thread.
    check(unsafe { libc::ptrace(libc::PTRACE_SETOPTIONS, main, ptr::null_mut::<c_void>(), options) })?;
    resume(main, libc::PTRACE_CONT, 0)?;
    Ok(main)
}

/// A seccomp program: trace the calls of [`CALLS`], allow everything else.
fn filter() -> Vec<libc::sock_filter> {
    let instruction = |code: u32, jt: u8, k: u32| libc::sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt,
        jf: 0,
        k,
    };
    // The call's number is the first word of what the filter sees.
    let mut program = vec![instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0)];
    for (at, (number, ..)) in CALLS.iter().enumerate() {
        // Equal: over the remaining comparisons and the allowing return.
        let over = u8::try_from(CALLS.len() - at).unwrap_or_default();
        let number = u32::try_from(*number).unwrap_or_default();
        program.push(instruction(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            over,
            number,
        ));
    }
    program.push(instruction(
        libc::BPF_RET | libc::BPF_K,
        0,
        libc::SECCOMP_RET_ALLOW,
    ));
    program.push(instruction(
        libc::BPF_RET | libc::BPF_K,
        0,
        libc::SECCOMP_RET_TRACE,
    ));
    program
}

struct Tracer {
    main: libc::pid_t,
    kill_at: Option<KillAt>,
    seen: BTreeMap<Step, u64>,
    threads: HashSet<libc::pid_t>,
    /// The thread that is in the call after which the process dies.
    dying: Option<libc::pid_t>,
}

impl Tracer {
    fn watch(&mut self) -> io::Result<End> {
        let mut at_step = false;
        loop {
            let mut status = 0;
            // SAFETY: waits for any thread that is traced.
            let thread = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
            if thread == -1 {
                let why = io::Error::last_os_error();
                match why.raw_os_error() {
                    Some(libc::EINTR) => continue,
                    _ => return Err(why),
                }
            }
            if libc::WIFSTOPPED(status) {
                // A thread that is killed meanwhile cannot be asked: its end is reported next.
                at_step |= self.stopped(thread, status).unwrap_or(false);
            } else if thread == self.main {
                return Ok(if at_step {
                    End::AtStep
                } else if libc::WIFEXITED(status) {
                    End::Exited(libc::WEXITSTATUS(status))
                } else {
                    End::Signalled(libc::WTERMSIG(status))
                });
            }
        }
    }

    /// Deals with a stopped thread; true when the process was killed at the wanted step.
    fn stopped(&mut self, thread: libc::pid_t, status: i32) -> io::Result<bool> {
        let is_new = self.threads.insert(thread);
        let signal = libc::WSTOPSIG(status);
        match status >> 16 {
            libc::PTRACE_EVENT_SECCOMP => match self.at_call(thread)? {
                Some(Moment::Before) => {
                    self.kill();
                    Ok(true)
                }
                Some(Moment::After) => {
                    self.dying = Some(thread);
                    resume(thread, libc::PTRACE_SYSCALL, 0).map(|()| false)
                }
                None => resume(thread, libc::PTRACE_CONT, 0).map(|()| false),
            },
            0 if signal == libc::SIGTRAP | 0x80 => {
                // Only the thread that dies is run to a call's end, but it may stop at the entry first, too.
                if self.dying == Some(thread) && operation(thread)? == libc::PTRACE_SYSCALL_INFO_EXIT {
                    self.kill();
                    return Ok(true);
                }
                resume(thread, libc::PTRACE_SYSCALL, 0).map(|()| false)
            }
            // The first stop of a new thread is the kernel's doing.
            0 if signal == libc::SIGSTOP && is_new => resume(thread, libc::PTRACE_CONT, 0).map(|()| false),
            0 => resume(thread, libc::PTRACE_CONT, signal).map(|()| false),
            _ => resume(thread, libc::PTRACE_CONT, 0).map(|()| false),
        }
    }

    /// Counts the call at which the thread is; whether the process dies at it.
    fn at_call(&mut self, thread: libc::pid_t) -> io::Result<Option<Moment>> {
        let info = syscall_info(thread)?;
        // SAFETY: at a seccomp stop this variant is filled.
        let (number, arguments) = unsafe { (info.u.seccomp.nr, info.u.seccomp.args) };
        let known = CALLS.iter().find(|(nr, ..)| u64::try_from(*nr) == Ok(number));
        let Some(&(_, call, subject)) = known else {
            return Ok(None);
        };
        let Some(place) = place(thread, subject, &arguments) else {
            return Ok(None);
        };
        let step = Step { place, call };
        let count = self.seen.entry(step).or_insert(0);
        *count += 1;
        Ok(self
            .kill_at
            .filter(|at| self.dying.is_none() && at.step == step && at.nth == *count)
            .map(|at| at.moment))
    }

    fn kill(&self) {
        // SAFETY: sends a signal to the process that was started here and not waited for yet.
        unsafe { libc::kill(self.main, libc::SIGKILL) };
    }
}

fn place(thread: libc::pid_t, subject: Subject, arguments: &[u64; 6]) -> Option<Place> {
    let descriptor = |at: usize| {
        // The kernel reads an int, whatever is above it in the register.
        let number = (arguments[at] & u64::from(u32::MAX)) as u32 as i32;
        let link = if number == libc::AT_FDCWD {
            format!("/proc/{thread}/cwd")
        } else {
            format!("/proc/{thread}/fd/{number}")
        };
        fs::read_link(link).ok()
    };
    let path = match subject {
        Subject::File(at) => descriptor(at)?,
        Subject::Path(directory, at) => {
            let base = match directory {
                Some(at) => descriptor(at)?,
                None => fs::read_link(format!("/proc/{thread}/cwd")).ok()?,
            };
            base.join(text(thread, arguments[at])?)
        }
    };
    if path.is_dir() {
        return Some(Place::Directory);
    }
    Place::of(path.to_str()?.trim_end_matches(" (deleted)"))
}

/// The NUL-terminated text at `address` of the traced process.
fn text(thread: libc::pid_t, address: u64) -> Option<String> {
    let memory = File::open(format!("/proc/{thread}/mem")).ok()?;
    let mut bytes = [0; 4096];
    // The mapping may end before that many bytes do.
    let mut filled = 0;
    while filled < bytes.len() {
        let step = 256.min(bytes.len() - filled);
        match memory.read_at(&mut bytes[filled..filled + step], address + filled as u64) {
            Ok(more) if more > 0 => filled += more,
            _ => break,
        }
        if bytes[..filled].contains(&0) {
            break;
        }
    }
    let end = bytes[..filled].iter().position(|&byte| byte == 0)?;
    String::from_utf8(bytes[..end].to_vec()).ok()
}

fn operation(thread: libc::pid_t) -> io::Result<u8> {
    Ok(syscall_info(thread)?.op)
}

fn syscall_info(thread: libc::pid_t) -> io::Result<libc::ptrace_syscall_info> {
    let mut info = MaybeUninit::<libc::ptrace_syscall_info>::zeroed();
    let size = size_of::<libc::ptrace_syscall_info>() as *mut c_void;
    // SAFETY: the thread is stopped and traced by us; the kernel writes at most `size` bytes; all zeros is a value.
    unsafe {
        check(libc::ptrace(
            libc::PTRACE_GET_SYSCALL_INFO,
            thread,
            size,
            info.as_mut_ptr(),
        ))?;
        Ok(info.assume_init())
    }
}

fn resume(thread: libc::pid_t, how: libc::c_uint, signal: i32) -> io::Result<()> {
    // SAFETY: the thread is stopped and traced by us.
    check(unsafe { libc::ptrace(how, thread, ptr::null_mut::<c_void>(), signal) })
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
