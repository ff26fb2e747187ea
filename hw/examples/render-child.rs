//! The render child alone, for tests and measurements without the daemon.

fn main() -> std::process::ExitCode {
    if std::env::args().nth(1).as_deref() == Some(postfax_hw::render::CHILD_ARGUMENT) {
        return postfax_hw::render::child_main();
    }
    eprintln!("to be started by the renderer");
    std::process::ExitCode::FAILURE
}
