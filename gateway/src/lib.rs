//! Mail in and mail out. Knows no fax: what a recipient means, who may send and
//! what becomes of a message is decided by whoever implements [`desk::Desk`].

pub mod address;
pub mod auth;
pub mod client;
pub mod command;
pub mod compose;
pub mod data;
pub mod desk;
pub mod dsn;
pub mod mdn;
pub mod message;
pub mod reply;
pub mod server;
pub mod session;
pub mod sign;
pub mod verify;
