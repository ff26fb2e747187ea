//! Questions about the phone book.

use super::{
    super::{AskBook, Code, Problem, Reply},
    Desk,
};

impl Desk<'_> {
    pub(super) async fn book(&mut self, _ask: AskBook) -> Result<Reply, Problem> {
        Err(Problem::new(Code::Failed, "to be written"))
    }
}
