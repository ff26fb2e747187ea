//! The table of what a confined process may use: one row for each sort of process.
//! Nothing is enforced here; [`super::confine`] does that.
//!
//! Why system calls are listed by what is allowed: what nobody thought of is refused
//! then, also what a later kernel brings. Refused calls fail as in a kernel that lacks
//! them, since libraries have a way around that; [`NEVER`] kills instead, because no
//! honest decoder comes near it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Tool;

/// Sorts of confined processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Sort {
    /// Our own drawing.
    Draw,
    Pdftoppm,
    HeifConvert,
    Tesseract,
    Soffice,
}

impl From<Tool> for Sort {
    fn from(tool: Tool) -> Self {
        match tool {
            Tool::Pdftoppm => Self::Pdftoppm,
            Tool::Soffice => Self::Soffice,
            Tool::HeifConvert => Self::HeifConvert,
            Tool::Tesseract => Self::Tesseract,
        }
    }
}

/// What one sort of process may use.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) sort: Sort,
    /// Address space in bytes, at least; more when more is asked for.
    pub(super) memory_bytes: u64,
    /// The longest file that it may write.
    pub(super) file_bytes: u64,
    /// The highest number of an open file.
    pub(super) open_files: u64,
    /// Folders and files that it may read. Its scratch folder, where it has one, it may
    /// also write; nothing else of the file system is there for it.
    pub(super) reads: &'static [&'static str],
    /// Whether it may have more than one thread. No sort may have a second process.
    pub(super) threads: bool,
    /// System calls that are allowed.
    pub(super) calls: &'static [&'static [Call]],
}

/// A system call, and what must hold for its arguments.
pub(super) type Call = (i64, &'static [Only]);

/// What must hold for an argument, counted from 0.
#[derive(Debug, Clone, Copy)]
pub(super) enum Only {
    Is(u8, u64),
    /// All these bits are set.
    Has(u8, u64),
    /// None of these bits is set.
    Lacks(u8, u64),
    /// It is the process itself.
    Itself(u8),
}

const MB: u64 = 1 << 20;

/// The table.
pub(super) const TABLE: [Row; 5] = [
    Row {
        sort: Sort::Draw,
        memory_bytes: 0,
        file_bytes: 0,
        open_files: 3,
        reads: &[],
        threads: true,
        calls: &[LIFE, DATA],
    },
    Row {
        sort: Sort::Pdftoppm,
        memory_bytes: 0,
        file_bytes: 0,
        open_files: 32,
        reads: &[
            "/usr",
            "/lib",
            "/lib64",
            "/etc/ld.so.cache",
            "/etc/fonts",
            "/var/cache/fontconfig",
            "/dev/null",
        ],
        threads: false,
        calls: &[LIFE, PROGRAM, FILES, OLD],
    },
    Row {
        sort: Sort::HeifConvert,
        memory_bytes: 1024 * MB,
        file_bytes: 256 * MB,
        open_files: 32,
        reads: &["/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/dev/null", "/dev/urandom"],
        threads: true,
        calls: &[LIFE, PROGRAM, FILES, OLD],
    },
    Row {
        sort: Sort::Tesseract,
        memory_bytes: 1024 * MB,
        file_bytes: 64 * MB,
        open_files: 32,
        reads: &["/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/dev/null", "/dev/urandom"],
        threads: false,
        calls: &[LIFE, PROGRAM, FILES, OLD],
    },
    Row {
        sort: Sort::Soffice,
        memory_bytes: 2048 * MB,
        file_bytes: 256 * MB,
        open_files: 512,
        reads: &[
            "/usr",
            "/lib",
            "/lib64",
            "/opt/libreoffice",
            "/etc/ld.so.cache",
            "/etc/fonts",
            "/etc/libreoffice",
            "/var/cache/fontconfig",
            "/var/lib/libreoffice",
            "/dev/null",
            "/dev/urandom",
        ],
        threads: true,
        calls: &[LIFE, PROGRAM, FILES, OLD, OFFICE],
    },
];

/// Memory, threads, time, an end: what every process needs.
const LIFE: &[Call] = &[
    (libc::SYS_brk, &[]),
    (libc::SYS_munmap, &[]),
    (libc::SYS_mremap, &[]),
    (libc::SYS_madvise, &[]),
    (libc::SYS_futex, &[]),
    (libc::SYS_set_robust_list, &[]),
    (libc::SYS_rseq, &[]),
    (libc::SYS_sched_yield, &[]),
    (libc::SYS_sched_getaffinity, &[]),
    (libc::SYS_sigaltstack, &[]),
    (libc::SYS_rt_sigaction, &[]),
    (libc::SYS_rt_sigprocmask, &[]),
    (libc::SYS_rt_sigreturn, &[]),
    (libc::SYS_restart_syscall, &[]),
    (libc::SYS_getpid, &[]),
    (libc::SYS_gettid, &[]),
    // An abort is a signal to oneself, and must still look like a crash.
    (libc::SYS_tgkill, &[Only::Itself(0)]),
    (libc::SYS_prctl, &[Only::Is(0, libc::PR_SET_NAME as u64)]),
    (libc::SYS_clock_gettime, &[]),
    (libc::SYS_clock_nanosleep, &[]),
    (libc::SYS_getrandom, &[]),
    (libc::SYS_exit, &[]),
    (libc::SYS_exit_group, &[]),
    (libc::SYS_read, &[]),
    (libc::SYS_write, &[]),
    (libc::SYS_writev, &[]),
    (libc::SYS_close, &[]),
];

/// Our own drawing loads no code.
const DATA: &[Call] = &[
    (libc::SYS_mmap, &[Only::Lacks(2, libc::PROT_EXEC as u64)]),
    (libc::SYS_mprotect, &[Only::Lacks(2, libc::PROT_EXEC as u64)]),
];

/// What it takes to become another program and to load its libraries.
const PROGRAM: &[Call] = &[
    (libc::SYS_execve, &[]),
    (libc::SYS_mmap, &[]),
    (libc::SYS_mprotect, &[]),
    (libc::SYS_set_tid_address, &[]),
    // To ask for a limit, not to set one.
    (libc::SYS_prlimit64, &[Only::Is(2, 0)]),
    (libc::SYS_uname, &[]),
    (libc::SYS_sysinfo, &[]),
    (libc::SYS_getuid, &[]),
    (libc::SYS_geteuid, &[]),
    (libc::SYS_getgid, &[]),
    (libc::SYS_getegid, &[]),
    (libc::SYS_getppid, &[]),
    (libc::SYS_getrusage, &[]),
    (libc::SYS_times, &[]),
    (libc::SYS_clock_getres, &[]),
    (libc::SYS_gettimeofday, &[]),
    (libc::SYS_nanosleep, &[]),
    (libc::SYS_membarrier, &[]),
];

/// Files, as far as their paths are allowed.
const FILES: &[Call] = &[
    (libc::SYS_openat, &[]),
    (libc::SYS_newfstatat, &[]),
    (libc::SYS_fstat, &[]),
    (libc::SYS_statx, &[]),
    (libc::SYS_faccessat, &[]),
    (libc::SYS_faccessat2, &[]),
    (libc::SYS_readlinkat, &[]),
    (libc::SYS_getdents64, &[]),
    (libc::SYS_getcwd, &[]),
    (libc::SYS_readv, &[]),
    (libc::SYS_pread64, &[]),
    (libc::SYS_pwrite64, &[]),
    (libc::SYS_lseek, &[]),
    (libc::SYS_fcntl, &[]),
    (libc::SYS_fadvise64, &[]),
    (libc::SYS_ftruncate, &[]),
    (libc::SYS_fsync, &[]),
    (libc::SYS_dup, &[]),
    (libc::SYS_umask, &[]),
    (libc::SYS_fchmod, &[]),
    (libc::SYS_unlinkat, &[]),
    (libc::SYS_renameat, &[]),
    (libc::SYS_renameat2, &[]),
    (libc::SYS_mkdirat, &[]),
    (libc::SYS_statfs, &[]),
    (libc::SYS_fstatfs, &[]),
];

/// The same, as old calls that only some machines have.
#[cfg(target_arch = "x86_64")]
const OLD: &[Call] = &[
    (libc::SYS_open, &[]),
    (libc::SYS_stat, &[]),
    (libc::SYS_lstat, &[]),
    (libc::SYS_access, &[]),
    (libc::SYS_readlink, &[]),
    (libc::SYS_mkdir, &[]),
    (libc::SYS_rmdir, &[]),
    (libc::SYS_rename, &[]),
    (libc::SYS_unlink, &[]),
    (libc::SYS_arch_prctl, &[]),
    (libc::SYS_time, &[]),
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[Call] = &[];

/// What an office does besides: it waits for itself, and locks what it works on.
const OFFICE: &[Call] = &[
    (libc::SYS_ppoll, &[]),
    (libc::SYS_pipe2, &[]),
    (libc::SYS_eventfd2, &[]),
    (libc::SYS_dup3, &[]),
    (libc::SYS_fdatasync, &[]),
    (libc::SYS_flock, &[]),
    (libc::SYS_fallocate, &[]),
    (libc::SYS_utimensat, &[]),
    (libc::SYS_fchmodat, &[]),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_poll, &[]),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_chmod, &[]),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_dup2, &[]),
];

/// A thread is a process that shares everything with its first one.
pub(super) const THREAD: Call = (libc::SYS_clone, &[Only::Has(0, libc::CLONE_THREAD as u64)]);

/// Who asks for one of these has been taken over, and dies of it.
pub(super) const NEVER: &[i64] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
];

/// The row of a sort.
pub(super) fn row(sort: Sort) -> &'static Row {
    let row = TABLE.iter().find(|row| row.sort == sort);
    row.expect("a test shows that every sort has a row")
}

/// What the parent tells a process about its confinement, as its second argument.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Cell {
    pub(super) sort: Sort,
    /// Address space that is asked for.
    pub(super) memory_bytes: u64,
    /// Processor time.
    pub(super) cpu_s: u64,
    /// Threads that it may have, where its row lets it have any.
    pub(super) threads: u32,
    /// The process that started it; when that is gone, it goes too.
    pub(super) parent: u32,
    /// Whether it is to go on where the kernel cannot confine it.
    pub(super) allow_unconfined: bool,
    /// What it becomes; `None`: it stays what it is, and draws.
    pub(super) program: Option<Program>,
}

/// A program of others.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) arguments: Vec<String>,
    /// The one folder that it may write.
    pub(super) scratch: PathBuf,
}
