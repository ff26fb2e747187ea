//! exp
#![allow(missing_docs, clippy::unwrap_used)]
use postfax_hw::pages::{tiff, words};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let file = tiff::read(a[1].as_ref()).unwrap();
    let (w, h): (f32, f32) = (a[3].parse().unwrap(), a[4].parse().unwrap());
    for i in 0..file.pages().len() {
        let d = file.decode(i).unwrap();
        let dens = file.pages()[i].density;
        let s = d.page.size();
        let g = d
            .page
            .to_gray()
            .scaled((s.width() as f32 / dens.x * w) as u32, (s.lines() as f32 / dens.y * h) as u32);
        let mut p = format!("P5\n{} {}\n255\n", g.width(), g.height()).into_bytes();
        p.extend_from_slice(g.pixels());
        std::fs::write(format!("{}.{i}.pgm", a[2]), p).unwrap();
        let _ = words::picture;
    }
}
