//! Finds Debian's spandsp, which the virtual telephone exchange is built on.

fn main() {
    if let Err(missing) = pkg_config::Config::new().atleast_version("0.0.6").probe("spandsp") {
        panic!("spandsp is needed (Debian: libspandsp-dev): {missing}");
    }
}
