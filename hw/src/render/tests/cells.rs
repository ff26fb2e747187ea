//! What a confined process can still do: tried by real processes in real cells, and
//! read off the filters that are given to the kernel.

use std::{
    collections::BTreeMap,
    fs,
    net::{TcpListener, UdpSocket},
    os::unix::{net::UnixListener, process::ExitStatusExt},
    process::{Command, Output},
};

use seccompiler::BpfProgram;

use super::super::{
    cell::{Cell, NEVER, Program, Sort, TABLE, row},
    confine::filters,
    *,
};
use super::exe;

const EXTERNAL: [Sort; 4] = [Sort::Pdftoppm, Sort::HeifConvert, Sort::Tesseract, Sort::Soffice];
const NO_SUCH_CALL: &str = "38";
const NOT_PERMITTED: &str = "13";

fn cell(sort: Sort, program: Option<Program>) -> Cell {
    let limits = Limits { memory_bytes: 256 << 20, cpu_s: 5, ..Limits::default() };
    Renderer::new(exe()).cell(sort, &limits, 1, program)
}

/// What a process in our own cell says when it has tried these.
fn drawing(cell: &Cell, what: &[&str]) -> Output {
    let json = serde_json::to_string(cell).unwrap();
    let mut command = Command::new(exe());
    command.arg("probe").args(what).arg(CHILD_ARGUMENT).arg(json).env_clear().output().unwrap()
}

/// What a program in a cell for programs of others says when it has tried these.
fn program(sort: Sort, path: &Path, scratch: &Path, arguments: &[&str]) -> Output {
    let program = Program {
        path: path.to_owned(),
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        scratch: scratch.to_owned(),
    };
    let json = serde_json::to_string(&cell(sort, Some(program))).unwrap();
    let mut command = Command::new(exe());
    command.arg(CHILD_ARGUMENT).arg(json).env_clear().current_dir("/").output().unwrap()
}

fn said(output: &Output) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(what, came)| (what.to_owned(), came.to_owned())).collect()
}

#[test]
fn our_own_drawing_can_do_nothing() {
    let signal = format!("signal={}", std::process::id());
    let what = [
        "read=/etc/passwd",
        "read=/dev/null",
        "list=/",
        "write=/tmp/of-a-child",
        "inet",
        "inet6",
        "unix=/run/nobody",
        "start=/bin/true",
        "become=/bin/true",
        "thread",
        &signal,
    ];
    let said = said(&drawing(&cell(Sort::Draw, None), &what));
    for one in what {
        assert_eq!(said[one], NO_SUCH_CALL, "{one}");
    }
}

#[test]
fn without_the_filter_of_calls_files_are_gone_all_the_same_and_so_is_memory() {
    // Landlock and limits, each by itself: a thread may be had, no file and no more memory.
    let two = Cell { threads: 2, ..cell(Sort::Draw, None) };
    let said = said(&drawing(&two, &["thread", "memory=1000000", "memory=400000000"]));
    assert_eq!((&*said["thread"], &*said["memory=1000000"]), ("ok", "ok"));
    assert_ne!(said["memory=400000000"], "ok");
}

#[test]
fn an_abort_looks_like_a_crash() {
    let aborted = drawing(&cell(Sort::Draw, None), &["abort"]);
    assert_eq!(aborted.status.signal(), Some(libc::SIGABRT));
}

#[test]
fn who_has_lost_its_parent_does_nothing() {
    let orphan = Cell { parent: 1, ..cell(Sort::Draw, None) };
    let output = drawing(&orphan, &["thread"]);
    assert!(!output.status.success() && output.stdout.is_empty());
}

#[test]
fn programs_of_others_reach_their_scratch_folder_and_nothing_else() {
    let scratch = tempfile::tempdir().unwrap();
    let state = tempfile::tempdir().unwrap();
    let secret = state.path().join("postfax.db");
    fs::write(&secret, "secret").unwrap();
    let (tcp, udp) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let socket = state.path().join("control");
    let _control = UnixListener::bind(&socket).unwrap();
    let path = |verb: &str, path: &Path| format!("{verb}={}", path.display());
    let inside = path("write", &scratch.path().join("made"));
    let refused = [
        ("read=/etc/shadow".to_owned(), NOT_PERMITTED),
        ("read=/etc/passwd".to_owned(), NOT_PERMITTED),
        ("list=/root".to_owned(), NOT_PERMITTED),
        ("list=/".to_owned(), NOT_PERMITTED),
        ("read=/proc/self/environ".to_owned(), NOT_PERMITTED),
        (path("read", &secret), NOT_PERMITTED),
        (path("write", &secret), NOT_PERMITTED),
        (path("write", &state.path().join("new")), NOT_PERMITTED),
        ("write=/usr/share/of-a-child".to_owned(), NOT_PERMITTED),
        (format!("tcp={}", tcp.local_addr().unwrap()), NO_SUCH_CALL),
        (format!("udp={}", udp.local_addr().unwrap()), NO_SUCH_CALL),
        ("inet6".to_owned(), NO_SUCH_CALL),
        (path("unix", &socket), NO_SUCH_CALL),
        ("start=/usr/bin/true".to_owned(), NO_SUCH_CALL),
        ("become=/usr/bin/true".to_owned(), NOT_PERMITTED),
        (format!("signal={}", std::process::id()), NO_SUCH_CALL),
    ];
    for sort in EXTERNAL {
        let mut what = vec!["probe", "read=/usr/bin/true"];
        // Poppler writes its pages to a pipe; who writes a file all the same is killed.
        let writes = row(sort).file_bytes > 0;
        what.extend(writes.then_some(inside.as_str()));
        what.extend(refused.iter().map(|(one, _)| one.as_str()));
        let said = said(&program(sort, &exe(), scratch.path(), &what));
        assert_eq!(said["read=/usr/bin/true"], "ok");
        assert_eq!(said.get(&inside).map(String::as_str), writes.then_some("ok"), "{sort:?}");
        for (one, errno) in &refused {
            assert_eq!(said[one], *errno, "{sort:?}: {one}");
        }
    }
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
}

#[test]
fn what_only_an_intruder_asks_for_kills() {
    let python = Path::new("/usr/bin/python3");
    if !python.is_file() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    for (name, call) in [
        ("ptrace", libc::SYS_ptrace),
        ("keyctl", libc::SYS_keyctl),
        ("mount", libc::SYS_mount),
        ("bpf", libc::SYS_bpf),
        ("unshare", libc::SYS_unshare),
    ] {
        let program_text = format!("import ctypes; ctypes.CDLL(None).syscall({call}, 0, 0, 0, 0)");
        let output = program(Sort::Tesseract, python, scratch.path(), &["-c", &program_text]);
        assert_eq!(output.status.signal(), Some(libc::SIGSYS), "{name}: {output:?}");
    }
}

/// What the kernel does with a call: BPF as seccomp runs it (seccomp(2), bpf(2)).
fn verdict(filter: &BpfProgram, call: i64, arguments: [u64; 6]) -> u32 {
    let arch: u32 = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };
    let word = |offset: u32| match offset {
        0 => call as u32,
        4 => arch,
        offset => {
            let argument = arguments[(offset as usize - 16) / 8];
            if offset % 8 == 0 { argument as u32 } else { (argument >> 32) as u32 }
        }
    };
    let (mut at, mut held) = (0, 0);
    loop {
        let step = &filter[at];
        at += 1;
        let holds = match step.code {
            0x20 => {
                held = word(step.k);
                continue;
            }
            0x54 => {
                held &= step.k;
                continue;
            }
            0x05 => {
                at += step.k as usize;
                continue;
            }
            0x06 => return step.k,
            0x15 => held == step.k,
            0x25 => held > step.k,
            0x35 => held >= step.k,
            other => panic!("an instruction that was not expected: {other:#x}"),
        };
        at += usize::from(if holds { step.jt } else { step.jf });
    }
}

const KILLED: u32 = 0x8000_0000;
const REFUSED: u32 = 0x0005_0000 | libc::ENOSYS as u32;
const ALLOWED: u32 = 0x7fff_0000;
const PRETENDED: u32 = 0x0005_0000;

/// The strictest answer of all filters.
fn judged(sort: Sort, threads: bool, call: i64, arguments: [u64; 6]) -> u32 {
    let filters = filters(row(sort), threads).unwrap();
    let verdicts = filters.iter().map(|filter| verdict(filter, call, arguments));
    // Actions are ordered as signed numbers (seccomp(2)).
    verdicts.min_by_key(|action| action.cast_signed()).unwrap()
}

#[test]
fn every_sort_has_a_row_and_no_row_opens_what_must_be_shut() {
    for sort in [Sort::Draw].into_iter().chain(EXTERNAL) {
        assert_eq!(TABLE.iter().filter(|row| row.sort == sort).count(), 1);
        for call in NEVER {
            assert_eq!(judged(sort, true, *call, [0; 6]), KILLED, "{sort:?}: {call}");
        }
        for call in [
            libc::SYS_socketpair,
            libc::SYS_connect,
            libc::SYS_clone3,
            libc::SYS_execveat,
            libc::SYS_kill,
            libc::SYS_tkill,
            libc::SYS_rt_sigqueueinfo,
            libc::SYS_pidfd_open,
            libc::SYS_pidfd_send_signal,
            libc::SYS_setpgid,
            libc::SYS_setsid,
            libc::SYS_setuid,
            libc::SYS_capset,
            libc::SYS_seccomp,
            libc::SYS_memfd_create,
            libc::SYS_truncate,
            libc::SYS_linkat,
            libc::SYS_symlinkat,
            libc::SYS_ioctl,
        ] {
            assert_eq!(judged(sort, true, call, [0; 6]), REFUSED, "{sort:?}: {call}");
        }
    }
}

#[test]
fn arguments_are_looked_at() {
    let itself = u64::from(std::process::id());
    let thread = libc::CLONE_THREAD as u64;
    let runs = libc::PROT_EXEC as u64;
    for (sort, threads, call, arguments, expected) in [
        (Sort::Draw, true, libc::SYS_clone, [thread | 0x100, 0, 0, 0, 0, 0], ALLOWED),
        (Sort::Draw, false, libc::SYS_clone, [thread, 0, 0, 0, 0, 0], REFUSED),
        (Sort::Draw, true, libc::SYS_clone, [0x11, 0, 0, 0, 0, 0], REFUSED),
        (Sort::Soffice, true, libc::SYS_clone, [0x11, 0, 0, 0, 0, 0], REFUSED),
        (Sort::Draw, true, libc::SYS_tgkill, [itself, itself, 6, 0, 0, 0], ALLOWED),
        (Sort::Draw, true, libc::SYS_tgkill, [itself + 1, 0, 9, 0, 0, 0], REFUSED),
        (Sort::Draw, false, libc::SYS_mmap, [0, 4096, 3, 0, 0, 0], ALLOWED),
        (Sort::Draw, false, libc::SYS_mmap, [0, 4096, runs | 3, 0, 0, 0], REFUSED),
        (Sort::Draw, false, libc::SYS_mprotect, [0, 4096, runs, 0, 0, 0], REFUSED),
        (Sort::Draw, false, libc::SYS_execve, [0; 6], REFUSED),
        (Sort::Draw, false, libc::SYS_openat, [0; 6], REFUSED),
        (Sort::Soffice, true, libc::SYS_socket, [1, 1, 0, 0, 0, 0], ALLOWED),
        (Sort::Soffice, true, libc::SYS_socket, [2, 1, 0, 0, 0, 0], REFUSED),
        (Sort::Soffice, true, libc::SYS_socket, [10, 1, 0, 0, 0, 0], REFUSED),
        (Sort::Soffice, true, libc::SYS_socket, [16, 3, 0, 0, 0, 0], REFUSED),
        (Sort::Soffice, true, libc::SYS_bind, [0; 6], PRETENDED),
        (Sort::Tesseract, true, libc::SYS_bind, [0; 6], REFUSED),
        (Sort::Tesseract, true, libc::SYS_socket, [1, 1, 0, 0, 0, 0], REFUSED),
        (Sort::Draw, true, libc::SYS_socket, [1, 1, 0, 0, 0, 0], REFUSED),
        (Sort::Soffice, true, libc::SYS_prlimit64, [0, 3, 0, 1, 0, 0], ALLOWED),
        (Sort::Soffice, true, libc::SYS_prlimit64, [0, 3, 1, 0, 0, 0], REFUSED),
        (Sort::Soffice, true, libc::SYS_prctl, [15, 1, 0, 0, 0, 0], ALLOWED),
        (Sort::Soffice, true, libc::SYS_prctl, [4, 1, 0, 0, 0, 0], REFUSED),
    ] {
        assert_eq!(judged(sort, threads, call, arguments), expected, "{sort:?}: {call}");
    }
    // Calls of the other way to count them on this machine (x32) are none of ours.
    assert_eq!(judged(Sort::Soffice, true, 0x4000_0000 | libc::SYS_write, [0; 6]), REFUSED);
}

#[test]
fn limits_are_those_of_the_table() {
    let python = Path::new("/usr/bin/python3");
    if !python.is_file() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let asks = "import resource as r
for n in ('AS', 'CPU', 'FSIZE', 'NOFILE', 'CORE', 'NPROC'):
    print(n, r.getrlimit(getattr(r, 'RLIMIT_' + n))[1])";
    for sort in EXTERNAL {
        let said = said(&program(sort, python, scratch.path(), &["-I", "-c", asks]));
        let row = row(sort);
        assert_eq!(said["AS"], row.memory_bytes.max(256 << 20).to_string(), "{sort:?}");
        assert_eq!(said["CPU"], "5");
        assert_eq!(said["FSIZE"], row.file_bytes.to_string());
        assert_eq!(said["NOFILE"], row.open_files.to_string());
        assert_eq!((&*said["CORE"], &*said["NPROC"]), ("0", "0"));
    }
}
