//! Puts the process that calls it into its cell, for good: limits, the file system
//! (landlock), system calls (seccomp). And says whether this kernel can do that.

use std::{
    collections::BTreeMap, io, os::unix::process::CommandExt, process::Command, sync::OnceLock,
};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getpid, getppid, nice, set_parent_process_death_signal,
    setrlimit,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

use super::cell::{Call, Cell, NEVER, Only, Program, Row, THREAD, row};

/// How much less of the processor it wants than others (0 to 19): calls and mail
/// dialogues keep their times.
const NICENESS: i32 = 19;
/// What the kernel says of a system call that it does not have.
const NO_SUCH_CALL: u32 = libc::ENOSYS as u32;

/// What the kernel says of this process: all of `/proc` that is left where the service
/// manager hides the rest (`ProcSubset=pid`), `/proc/sys` among it.
const STATUS: &str = "/proc/self/status";

/// Whether the kernel has seccomp filters: it counts those of a process then (Linux 5.9,
/// and landlock is younger).
fn has_filters(status: &str) -> bool {
    status.lines().any(|line| line.starts_with("Seccomp_filters:"))
}

/// What the kernel gives to confine with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confinement {
    /// Files can be taken away (landlock).
    pub files: bool,
    /// System calls can be taken away (seccomp).
    pub calls: bool,
}

impl Confinement {
    /// Whether nothing is missing.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.files && self.calls
    }

    /// What is missing, in words.
    #[must_use]
    pub fn lack(self) -> Option<&'static str> {
        match (self.files, self.calls) {
            (true, true) => None,
            (false, true) => Some("the kernel has no landlock (Linux 5.13, lsm=landlock)"),
            (true, false) => Some("the kernel has no seccomp filters"),
            (false, false) => Some("the kernel has neither landlock nor seccomp filters"),
        }
    }
}

/// What this kernel can do. The first call that finds something missing warns of it.
pub fn confinement() -> Confinement {
    static FOUND: OnceLock<Confinement> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let found = Confinement {
            files: ruleset(CompatLevel::HardRequirement, ABI::V1).is_ok(),
            calls: std::fs::read_to_string(STATUS).is_ok_and(|status| has_filters(&status)),
        };
        if let Some(lack) = found.lack() {
            tracing::warn!(lack, "foreign documents cannot be confined as they should be");
        }
        found
    })
}

/// Why a process is not in its cell.
#[derive(Debug, thiserror::Error)]
pub(super) enum Open {
    #[error("limits: {0}")]
    Limits(#[from] io::Error),
    #[error("landlock: {0}")]
    Files(#[from] RulesetError),
    #[error("landlock is not in force")]
    NoFiles,
    #[error("seccomp: {0}")]
    Calls(#[from] seccompiler::Error),
    #[error("seccomp: {0}")]
    Filter(#[from] seccompiler::BackendError),
    #[error("the parent has gone")]
    Orphan,
}

/// Confines this process, which has one thread, for good.
///
/// # Errors
/// [`Open`]: it must end then, without having read a byte.
pub(super) fn confine(cell: &Cell) -> Result<(), Open> {
    let row = row(cell.sort);
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from)?;
    // It may have gone before we asked to be told.
    if getppid().map(Pid::as_raw_nonzero).map(|id| id.get().cast_unsigned()) != Some(cell.parent) {
        return Err(Open::Orphan);
    }
    nice(NICENESS).map_err(io::Error::from)?;
    let lax = |done: Result<(), Open>| if cell.allow_unconfined { Ok(()) } else { done };
    lax(take_files(row, cell.program.as_ref()))?;
    take_resources(row, cell)?;
    lax(take_calls(row, cell))
}

/// Becomes the program; returns only when that fails.
pub(super) fn become_program(program: &Program) -> io::Error {
    Command::new(&program.path).args(&program.arguments).exec()
}

fn take_resources(row: &Row, cell: &Cell) -> Result<(), Open> {
    let limit = |resource, most| {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
            .map_err(io::Error::from)
    };
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, row.file_bytes)?;
    limit(Resource::As, cell.memory_bytes.max(row.memory_bytes))?;
    limit(Resource::Cpu, cell.cpu_s)?;
    // This counts all threads of the user, ours or not: none, or seccomp alone counts.
    if threads(row, cell) == 1 {
        limit(Resource::Nproc, 0)?;
    }
    Ok(limit(Resource::Nofile, row.open_files)?)
}

fn threads(row: &Row, cell: &Cell) -> u32 {
    if row.threads { cell.threads } else { 1 }
}

/// A ruleset that takes away all that the kernel knows of, up to `abi`.
fn ruleset(level: CompatLevel, abi: ABI) -> Result<RulesetCreated, RulesetError> {
    let mut rules =
        Ruleset::default().set_compatibility(level).handle_access(AccessFs::from_all(abi))?;
    if abi >= ABI::V6 {
        rules = rules.handle_access(AccessNet::from_all(abi))?.scope(Scope::from_all(abi))?;
    }
    rules.create()
}

fn take_files(row: &Row, program: Option<&Program>) -> Result<(), Open> {
    let mut rules = ruleset(CompatLevel::BestEffort, ABI::V7)?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    if let Some(program) = program {
        for path in row.reads {
            rules = allow(rules, path.as_ref(), read)?;
        }
        let run = AccessFs::Execute | AccessFs::ReadFile;
        rules = allow(rules, &program.path, run)?;
        for loader in LOADERS {
            rules = allow(rules, loader.as_ref(), run)?;
        }
        let own = AccessFs::from_all(ABI::V3)
            & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock);
        rules = allow(rules, &program.scratch, own)?;
    }
    match rules.restrict_self()?.ruleset {
        RulesetStatus::NotEnforced => Err(Open::NoFiles),
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
    }
}

/// The kernel starts a program by way of its loader, which it must be allowed to run.
const LOADERS: [&str; 4] = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
];

/// What is not there cannot be allowed, and need not be.
fn allow(
    rules: RulesetCreated,
    path: &std::path::Path,
    rights: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let Ok(there) = PathFd::new(path) else { return Ok(rules) };
    let rights = if path.is_dir() { rights } else { rights & AccessFs::from_file(ABI::V3) };
    rules.add_rule(PathBeneath::new(there, rights))
}

fn take_calls(row: &Row, cell: &Cell) -> Result<(), Open> {
    for filter in filters(row, threads(row, cell) > 1)? {
        apply_filter(&filter)?;
    }
    Ok(())
}

/// Three filters, of which the strictest answer counts: one kills, one refuses, one
/// pretends.
pub(super) fn filters(row: &Row, threads: bool) -> Result<Vec<BpfProgram>, Open> {
    let itself = getpid().as_raw_nonzero().get() as u64;
    let plain = |calls: &[i64]| calls.iter().map(|call| (*call, Vec::new())).collect();
    let mut allowed: BTreeMap<i64, Vec<SeccompRule>> = plain(row.pretended);
    let own = row.calls.iter().copied().flatten().copied();
    for (call, onlys) in own.chain(threads.then_some(THREAD)) {
        allowed.insert(call, rules((call, onlys), itself)?);
    }
    let arch = std::env::consts::ARCH.try_into()?;
    let (yes, no) = (SeccompAction::Allow, SeccompAction::Errno(NO_SUCH_CALL));
    let kill = SeccompAction::KillProcess;
    let mut filters = vec![
        SeccompFilter::new(plain(NEVER), yes.clone(), kill, arch)?.try_into()?,
        SeccompFilter::new(plain(row.pretended), yes.clone(), SeccompAction::Errno(0), arch)?
            .try_into()?,
    ];
    filters.push(SeccompFilter::new(allowed, no, yes, arch)?.try_into()?);
    Ok(filters)
}

fn rules((_, onlys): Call, itself: u64) -> Result<Vec<SeccompRule>, Open> {
    let conditions: Result<Vec<_>, _> = onlys
        .iter()
        .map(|only| {
            let (argument, compare, value) = match *only {
                Only::Is(argument, value) => (argument, SeccompCmpOp::Eq, value),
                Only::Has(argument, bits) => (argument, SeccompCmpOp::MaskedEq(bits), bits),
                Only::Lacks(argument, bits) => (argument, SeccompCmpOp::MaskedEq(bits), 0),
                Only::Itself(argument) => (argument, SeccompCmpOp::Eq, itself),
            };
            SeccompCondition::new(argument, SeccompCmpArgLen::Qword, compare, value)
        })
        .collect();
    let conditions = conditions?;
    // No rule is a rule without conditions.
    if conditions.is_empty() { Ok(Vec::new()) } else { Ok(vec![SeccompRule::new(conditions)?]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_found_without_the_rest_of_proc() {
        for (status, found) in [
            ("Name:\tpostfax\nSeccomp:\t0\nSeccomp_filters:\t0\n", true),
            ("Name:\tpostfax\nSeccomp:\t2\nSeccomp_filters:\t3\n", true),
            ("Name:\tpostfax\nSeccomp:\t0\n", false),
            ("Name:\tSeccomp_filters:\n", false),
        ] {
            assert_eq!(has_filters(status), found, "{status:?}");
        }
        let here = std::fs::exists("/proc/sys/kernel/seccomp/actions_avail").unwrap();
        assert_eq!(confinement().calls, here);
    }
}
