//! Questions about the phone book. Who may see and change what is the book's to say: a
//! question finds entries in the durable copy with the eyes of the asker, and what is
//! written goes to the supervisor as orders that name the version which was seen.

use std::sync::Arc;

use postfax_domain::{
    authority::Who,
    book::{Book, Change, Entry, Label, MAX_FOUND, Order, Owner, Rank, Refused, Seen, Sharing},
    number::Number,
    supervisor::{Answer, Request},
    time::Timestamp,
};

use super::{
    super::{
        AskBook, BookReply, Code, Problem, Reply,
        book::{
            self, AskImport, EntrySheet, Exported, Fields, FileFormat, Imported, Keeper, Planned,
            USUAL_ENTRIES, rows, shown,
        },
    },
    Desk, failed, unexpected,
};

/// Entries of one answer: one more is looked for, to know whether there are.
const MAX_ENTRIES: usize = MAX_FOUND - 1;

impl Desk<'_> {
    pub(super) async fn book(&mut self, ask: AskBook) -> Result<Reply, Problem> {
        let reply = match ask {
            AskBook::Find { text, limit } => self.find_entries(&text, limit)?,
            AskBook::Show { entry } => {
                let book = self.daemon.book();
                let seen = self.named(&book, &entry)?;
                self.sheet(&book, seen.entry, seen.rank, seen.may_change).await?
            }
            AskBook::Add { fields, owner, label } => self.add(&fields, owner, label).await?,
            AskBook::Change { entry, version, fields } => {
                self.change(&entry, version, &fields).await?
            }
            AskBook::Share { entry, version, with } => self.share(&entry, version, with).await?,
            AskBook::Delete { entry, version } => self.delete(&entry, version).await?,
            AskBook::Import(ask) => self.import(*ask).await?,
            AskBook::Export { format, what } => self.export(format, what).await?,
        };
        Ok(Reply::Book(Box::new(reply)))
    }

    fn find_entries(&self, text: &str, limit: Option<u32>) -> Result<BookReply, Problem> {
        let limit = limit.map_or(USUAL_ENTRIES, |limit| limit as usize);
        if !(1..=MAX_ENTRIES).contains(&limit) {
            let message = format!("an answer holds 1 to {MAX_ENTRIES} entries");
            return Err(Problem::new(Code::BadRequest, message));
        }
        let book = self.daemon.book();
        let who = &self.asker.who;
        let found = book.find(&self.setup, who, text, limit + 1);
        let more = found.len() > limit;
        let row = |found: &postfax_domain::book::Found<'_>| {
            let seen = book.get(&self.setup, who, found.entry.id);
            let may_change = seen.is_some_and(|seen| seen.may_change);
            rows::row(found.entry, found.rank, may_change, &self.setup)
        };
        Ok(BookReply::Entries { entries: found.iter().take(limit).map(row).collect(), more })
    }

    /// The entry that is meant: by its unique identifier, its alias, or its number where
    /// only one entry has it. What the asker may not see is not there.
    fn named<'b>(&self, book: &'b Book, word: &str) -> Result<Seen<'b>, Problem> {
        let (setup, who) = (&*self.setup, &self.asker.who);
        let word = word.trim();
        let by_uid = book.by_uid(setup, who, word);
        let by_alias = book.by_alias(setup, who, word);
        let by_number = match Number::parse(word, setup.country) {
            Ok(number) => book.by_number(setup, who, &number),
            Err(_) => Vec::new(),
        };
        if let Some(seen) = by_uid {
            return Ok(seen);
        }
        let found = if by_alias.is_empty() { by_number } else { by_alias };
        match &found[..] {
            [] => Err(no_such_entry(word)),
            [entry] => book.get(setup, who, entry.id).ok_or_else(|| no_such_entry(word)),
            several => Err(ambiguous(word, several)),
        }
    }

    async fn sheet(
        &self,
        book: &Book,
        entry: &Entry,
        rank: Rank,
        may_change: bool,
    ) -> Result<BookReply, Problem> {
        let (members, unusable) = book.members(&self.setup, &self.asker.who, entry);
        let members = members.into_iter().map(|member| rows::member(member)).collect();
        let history = match may_change {
            true => self.daemon.book_history(entry.id).await.map_err(failed)?,
            false => Vec::new(),
        };
        Ok(BookReply::Entry(Box::new(EntrySheet {
            entry: rows::row(entry, rank, may_change, &self.setup),
            members,
            unusable,
            history: history.iter().map(rows::history).collect(),
        })))
    }

    /// The sheet of an entry that was just written.
    async fn written(&self, change: &Change) -> Result<BookReply, Problem> {
        let book = self.daemon.book();
        let Some(entry) = change.after.as_deref() else { return Err(no_such_entry("")) };
        let seen = book.get(&self.setup, &self.asker.who, entry.id);
        let (rank, may_change) =
            seen.map_or((Rank::Public, false), |seen| (seen.rank, seen.may_change));
        self.sheet(&book, entry, rank, may_change).await
    }

    async fn add(
        &mut self,
        fields: &Fields,
        owner: Option<Keeper>,
        label: Option<Label>,
    ) -> Result<BookReply, Problem> {
        let book = self.daemon.book();
        let content = book::content(fields, None, &self.setup, |word| {
            self.named(&book, word).map(|seen| seen.entry.id)
        })?;
        let (owner, label) = kept_by(&self.asker.who, owner, label)?;
        let uid = book::new_uid().ok_or_else(no_chance)?;
        let change = self.write(Order::Add { uid, owner, label, content }, "").await?;
        self.written(&change).await
    }

    async fn change(
        &mut self,
        word: &str,
        version: Option<u64>,
        fields: &Fields,
    ) -> Result<BookReply, Problem> {
        let book = self.daemon.book();
        let Seen { entry, rank, may_change } = self.named(&book, word)?;
        if *fields == Fields::default() {
            return Err(Problem::new(Code::BadRequest, "say what is to be different"));
        }
        // Those who may not change it are told so whatever they write.
        let content = match may_change {
            true => book::content(fields, Some(&entry.content), &self.setup, |word| {
                self.named(&book, word).map(|seen| seen.entry.id)
            })?,
            false => entry.content.clone(),
        };
        let is_seen = version.is_none_or(|version| version == entry.version);
        if may_change && is_seen && content == entry.content {
            return self.sheet(&book, entry, rank, may_change).await;
        }
        // What was not to be different is as it was read here: not over what others wrote.
        let expected = Some(version.unwrap_or(entry.version));
        let order = Order::Change { id: entry.id, expected, content };
        let change = self.write(order, word).await?;
        self.written(&change).await
    }

    async fn share(
        &mut self,
        word: &str,
        expected: Option<u64>,
        sharing: Sharing,
    ) -> Result<BookReply, Problem> {
        let id = self.named(&self.daemon.book(), word)?.entry.id;
        let change = self.write(Order::Share { id, expected, sharing }, word).await?;
        self.written(&change).await
    }

    async fn delete(&mut self, word: &str, expected: Option<u64>) -> Result<BookReply, Problem> {
        let id = self.named(&self.daemon.book(), word)?.entry.id;
        let change = self.write(Order::Remove { id, expected }, word).await?;
        let Some(gone) = change.before else { return Err(no_such_entry(word)) };
        Ok(BookReply::Deleted { uid: gone.uid.clone(), name: gone.content.name.clone() })
    }

    /// Orders one change.
    async fn write(&mut self, order: Order, word: &str) -> Result<Change, Problem> {
        let request = Request::Book { who: self.asker.who.clone(), orders: vec![order] };
        match self.order(request).await? {
            Answer::Written(mut changes) if changes.len() == 1 => Ok(changes.remove(0)),
            Answer::NotWritten(_, why) => Err(refused(&why, word)),
            other => Err(unexpected(&other)),
        }
    }

    async fn import(&mut self, ask: AskImport) -> Result<BookReply, Problem> {
        let (book, setup, who) = (self.daemon.book(), self.setup.clone(), self.asker.who.clone());
        let (owner, label) = kept_by(&who, ask.owner.clone(), ask.label.clone())?;
        let is_dry = ask.dry_run;
        let now = Timestamp(jiff::Timestamp::now().as_millisecond());
        // A large file takes its time, and the others are not to wait for it.
        let planned = tokio::task::spawn_blocking(move || {
            book::plan(&book, &setup, &who, &ask, (&owner, &label), now)
        });
        let planned = planned.await.map_err(|why| failed(why.to_string()))??;
        let Planned { orders, places, imported } = planned;
        if is_dry || !imported.errors.is_empty() {
            return Ok(BookReply::Imported(Box::new(imported)));
        }
        let done = Imported { done: true, ..imported };
        if orders.is_empty() {
            return Ok(BookReply::Imported(Box::new(done)));
        }
        let request = Request::Book { who: self.asker.who.clone(), orders };
        match self.order(request).await? {
            Answer::Written(_) => Ok(BookReply::Imported(Box::new(done))),
            Answer::NotWritten(at, why) => {
                let place = places.get(at).map_or("the file", String::as_str);
                let problem = refused(&why, "");
                let message = format!("nothing was imported; {place}: {}", problem.message);
                Err(Problem { message, ..problem })
            }
            other => Err(unexpected(&other)),
        }
    }

    async fn export(&self, format: FileFormat, what: Exported) -> Result<BookReply, Problem> {
        let (book, setup, who) = (self.daemon.book(), self.setup.clone(), self.asker.who.clone());
        let exported =
            tokio::task::spawn_blocking(move || book::export(&book, &setup, &who, format, what));
        exported.await.map_err(|why| failed(why.to_string()))
    }
}

/// Whose a new entry is to be, and who else may refer to it.
fn kept_by(
    who: &Who,
    owner: Option<Keeper>,
    label: Option<Label>,
) -> Result<(Owner, Label), Problem> {
    let owner = match (owner, who) {
        (Some(Keeper::Client(name)), _) => Owner::Client(name),
        (Some(Keeper::Public), _) | (None, Who::Administrator) => Owner::Supervisor,
        (None, Who::Client(name)) => Owner::Client(name.clone()),
        (None, Who::Stranger) => {
            return Err(Problem::new(Code::NotPermitted, "a stranger has no phone book"));
        }
    };
    let usual = || match owner {
        Owner::Client(_) => Label::private(),
        Owner::Supervisor => Label::Everyone,
    };
    let label = label.unwrap_or_else(usual);
    Ok((owner, label))
}

/// The same words whether there is none, or none for this asker.
fn no_such_entry(word: &str) -> Problem {
    let message = format!("there is no entry \"{}\" in the phone book", shown(word));
    Problem::new(Code::NoSuchEntry, message)
}

/// Several stand equally near, all of which the asker may see.
fn ambiguous(word: &str, among: &[&Arc<Entry>]) -> Problem {
    /// Of so many candidates the uid is said.
    const MAX_SHOWN: usize = 20;
    let candidate = |entry: &&Arc<Entry>| {
        let content = &entry.content;
        let comma = if content.company.is_empty() { "" } else { ", " };
        let (name, company) = (&content.name, &content.company);
        format!("{name}{comma}{company} (of {}, uid {})", entry.owner, entry.uid)
    };
    let mut shown_of: Vec<String> = among.iter().take(MAX_SHOWN).map(candidate).collect();
    if among.len() > MAX_SHOWN {
        shown_of.push(format!("and {} more", among.len() - MAX_SHOWN));
    }
    let message = format!(
        "\"{}\" is {} entries of the phone book: {}; name one by its uid",
        shown(word),
        among.len(),
        shown_of.join("; ")
    );
    Problem::new(Code::BadRequest, message).noted("several entries are called so")
}

/// Why an order was refused, as a problem of the one who asked.
fn refused(why: &Refused, word: &str) -> Problem {
    let message = why.to_string();
    match why {
        Refused::NotThere => no_such_entry(word),
        Refused::NotYours | Refused::Missing(_) => Problem::new(Code::NotPermitted, message),
        Refused::Version { now } => Problem::stale(*now, message),
        _ => Problem::new(Code::BadRequest, message),
    }
}

fn no_chance() -> Problem {
    failed("the system has no random numbers for a unique identifier".into())
}

#[cfg(test)]
mod tests;
