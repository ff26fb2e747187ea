//! What the tests with foreign fax programs share: an exchange in a private folder, a
//! page, and programs that are ended when they take too long.

#![allow(dead_code, reason = "no test needs all of it")]

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Instant,
};

use postfax_domain::document::Resolution;
use postfax_hw::{
    exchange::{Exchange, Machine, Options},
    pages::{
        bitmap::{Bitmap, Size},
        ccitt::{Coding, encode},
        sheet,
        tiff::Density,
    },
};
use tempfile::TempDir;

pub const PROGRAM: &str = "+15551000001";
pub const OTHER_PROGRAM: &str = "+15551000002";
pub const MACHINE: &str = "+15551000003";
pub const RESOLUTION: Resolution = Resolution::Fine;
pub const CODING: Coding = Coding::Mh { aligned: false };
/// How long a program may take, in seconds. Calls to it take about half of that.
const LIMIT_S: u32 = 80;

/// An exchange and a folder.
pub struct World {
    pub exchange: Exchange,
    folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// Modems in software keep the times of a telephone line: one test at a time uses them.
static LINES: Mutex<()> = Mutex::new(());

impl World {
    /// Calls between two programs run so many times faster than real time.
    pub fn new(speed: f64) -> Self {
        let alone = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let options = Options { speed, ..Options::new(&folder.path().join("faxes")) };
        Self { exchange: Exchange::start(options).unwrap(), folder, _alone: alone }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn machine(&self) -> Machine {
        self.exchange.machine(MACHINE, 1, MACHINE).unwrap()
    }

    /// Starts a program in the folder.
    pub fn run(&self, program: &Path, arguments: &[&str]) -> Running {
        let name = program.file_name().unwrap().to_string_lossy().into_owned();
        let log = |stream| self.path(&format!("{name}-{}.{stream}", arguments.len()));
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after=5", &LIMIT_S.to_string()])
            .arg(program)
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(File::create(log("out")).unwrap())
            .stderr(File::create(log("err")).unwrap());
        let (out, err) = (log("out"), log("err"));
        let thread = std::thread::spawn(move || {
            let status = command.status().unwrap();
            let [stdout, stderr] = [out, err].map(|path| std::fs::read(path).unwrap());
            Output { status, stdout, stderr }
        });
        Running { name, began: Instant::now(), thread }
    }
}

/// A program that runs.
pub struct Running {
    name: String,
    began: Instant,
    thread: JoinHandle<Output>,
}

impl Running {
    /// Waits until it has ended by itself, with success, and gives all that it said.
    pub fn succeeds(self) -> String {
        let output = self.thread.join().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{}: {}\n{said}", self.name, output.status);
        eprintln!("{} ended after {:?}", self.name, self.began.elapsed());
        said
    }
}

/// A short page with something on every line.
pub fn page() -> Bitmap {
    let mut page = Bitmap::white(Size::new(1728, 500).unwrap());
    for y in 0..500 {
        page.blacken(y, 40 + y, 60 + 2 * y);
        page.blacken(y, 1500, 1500 + y % 200 + 1);
    }
    page
}

/// The page as it goes over the line: T.4 in one dimension, with the six ends of line
/// after it that end a page (T.4 2.4.1.2).
pub fn coded() -> Vec<u8> {
    let mut coded = encode(&page(), CODING);
    // Two at a time; zeros before the first one are fill.
    coded.extend([0x00, 0x10, 0x01].repeat(3));
    coded
}

pub fn density() -> Density {
    sheet::density(RESOLUTION)
}
