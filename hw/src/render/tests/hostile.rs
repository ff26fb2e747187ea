//! Documents that are made to harm, made here: each ends within its limits, as pages or
//! with an honest refusal, and leaves nothing behind.

mod bytes;
mod pdfs;
mod pictures;
mod texts;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use super::{super::*, Desk, exe};

/// What must become of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Must {
    /// Pages.
    Draw,
    /// A refusal.
    Refuse,
    /// One of both.
    End,
}

struct Case {
    name: &'static str,
    kind: Kind,
    must: Must,
    bytes: Vec<u8>,
}

fn all() -> Vec<Case> {
    let cases = pdfs::all().into_iter().chain(pictures::all()).chain(texts::all());
    cases.collect()
}

/// A renderer whose processes can be told from those of other tests: by how much memory
/// they may have, and by their scratch folder.
struct Bench {
    desk: Desk,
    scratch: tempfile::TempDir,
    renderer: Renderer,
    limits: Limits,
}

impl Bench {
    fn new(limits: &Limits) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let scratch = tempfile::tempdir().unwrap();
        let renderer = Renderer::with_tools(exe(), Tools::find());
        let renderer = renderer.with_scratch(scratch.path().to_owned());
        let memory_bytes = limits.memory_bytes
            + (std::process::id() as u64 % 1000) * 100
            + NEXT.fetch_add(1, Ordering::Relaxed);
        let limits = Limits { memory_bytes, ..limits.clone() };
        Self { desk: Desk::new(), scratch, renderer, limits }
    }

    async fn render(&self, sources: &[Source]) -> Result<Rendered, RenderError> {
        self.renderer.render(sources, Look::default(), &self.limits, &self.desk.out()).await
    }

    /// Processes of this bench.
    fn processes(&self) -> Vec<u32> {
        let marks = [
            format!("\"memory_bytes\":{},", self.limits.memory_bytes),
            self.scratch.path().display().to_string(),
        ];
        let running = |id: &u32| {
            let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            marks.iter().any(|mark| line.contains(mark))
        };
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(running).collect()
    }

    /// What is left of it; nothing, within a second.
    async fn leaves_nothing(&self, what: &str) {
        for _ in 0..50 {
            if self.processes().is_empty() && self.files() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{what}: {:?} run, {} files", self.processes(), self.files());
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.scratch.path()).unwrap().count()
    }
}

/// What came of a case, in words.
async fn run(bench: &Bench, case: &Case) -> (bool, String, Duration) {
    let file = case.name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "-");
    let source = bench.desk.put(&file, case.kind, &case.bytes);
    let begun = Instant::now();
    let done = bench.render(&[source]).await;
    let took = begun.elapsed();
    assert!(!matches!(done, Err(RenderError::Local(_))), "{}: {done:?}", case.name);
    let said = match &done {
        Ok(rendered) => format!("{} pages, {:?}", rendered.pages, rendered.warnings),
        Err(error) => error.to_string(),
    };
    (done.is_ok(), said, took)
}

#[tokio::test]
async fn hostile_documents_harm_nothing() {
    let limits = Limits { cpu_s: 1, wall_s: 2, ..Limits::default() };
    let bench = &Bench::new(&limits);
    let cases = all();
    let mut running = futures_util::stream::FuturesUnordered::new();
    let mut waiting = cases.iter().map(|case| async move { (case, run(bench, case).await) });
    running.extend(waiting.by_ref().take(2));
    while let Some((case, (drawn, said, took))) = futures_util::StreamExt::next(&mut running).await
    {
        running.extend(waiting.next());
        assert!(took < Duration::from_secs(limits.wall_s + 3), "{}: {took:?}", case.name);
        match case.must {
            Must::Draw => assert!(drawn, "{}: {said}", case.name),
            Must::Refuse => assert!(!drawn, "{}: {said}", case.name),
            Must::End => {}
        }
    }
    drop(running);
    bench.leaves_nothing("all of them").await;
}

#[tokio::test]
async fn who_loses_interest_leaves_nothing() {
    let bench = Bench::new(&Limits::default());
    let named = |name: &str| {
        let case = all().into_iter().find(|case| case.name == name).unwrap();
        bench.desk.put(name, case.kind, &case.bytes)
    };
    let sources =
        ["pdf 800,000 strokes", "zip.docx that is 4 GB", "text of one line of 60 MB"].map(named);
    for after_ms in [10, 100, 400] {
        let work = bench.render(&sources);
        let done = tokio::time::timeout(Duration::from_millis(after_ms), work).await;
        if done.is_err() && after_ms >= 100 {
            bench.leaves_nothing("dropped").await;
        }
    }
    bench.leaves_nothing("dropped early").await;
}

/// The same with the real limits, and what each costs: by hand, with `--ignored
/// --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes, and prints figures"]
async fn hostile_documents_with_the_real_limits() {
    for case in all() {
        let bench = Bench::new(&Limits::default());
        let peak = AtomicU64::new(0);
        let ended = {
            let watch = async {
                loop {
                    let kept = bench.processes().into_iter().filter_map(peak_kb).max();
                    peak.fetch_max(kept.unwrap_or(0), Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::select! {
                ended = run(&bench, &case) => ended,
                () = watch => unreachable!("it watches for ever"),
            }
        };
        let (drawn, said, took) = ended;
        let peak = peak.load(Ordering::Relaxed) / 1024;
        println!("{:45} {:6} ms {peak:5} MB {drawn:5} {said}", case.name, took.as_millis());
        bench.leaves_nothing(case.name).await;
    }
}

/// The most memory that a process had at once.
fn peak_kb(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}
