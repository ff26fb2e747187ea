//! Postfax.
mod carry;
mod config;
mod crash;
mod daemon;
mod inbound;
mod letters;
mod listen;
mod outbound;
mod post;
mod store;
fn main() {
    if std::env::args().nth(1).as_deref() == Some("render-child") {
        let _ = postfax_hw::render::child_main();
        return;
    }
    let config = config::load(std::path::Path::new(&std::env::args().nth(1).unwrap()))
        .unwrap_or_else(|p| {
            eprintln!("{}", config::report(&p, false));
            std::process::exit(78)
        });
    let rt = tokio::runtime::Runtime::new().unwrap();
    rt.block_on(async {
        let mut d = daemon::Daemon::open(config.clone()).await.unwrap();
        listen::smtp(&mut d, &config).await.unwrap();
        d.run().await
    });
}
