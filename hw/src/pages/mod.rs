//! Pages: foreign documents become canonical bi-level pages, and TIFF-F becomes
//! what mail clients show.

pub mod bilevel;
pub mod bitmap;
pub mod ccitt;
pub mod gray;
pub mod kind;
pub mod rasterise;
pub mod sheet;
pub mod tiff;
