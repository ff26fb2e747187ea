//! The tables of the database, version by version. One that was released is not changed.

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// A version, its name, and what it does.
type Version = (i64, &'static str, &'static str);

/// One version for each name, numbered from 1: `migrations/NUMBER_NAME.sql`.
macro_rules! versions {
    ($($number:literal $name:literal)*) => {
        &[$(($number, $name, include_str!(concat!("migrations/", $number, "_", $name, ".sql")))),*]
    };
}

const VERSIONS: &[Version] = versions! {
    1 "first" 2 "mails" 3 "settings" 4 "audit" 5 "config" 6 "webhooks" 7 "answers" 8 "book"
};

/// Brings a database up to the last version.
pub(super) fn migrator() -> Migrator {
    let migration = |(number, name, sql): &Version| {
        Migration::new(*number, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(VERSIONS.iter().map(migration).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn every_file_is_a_version() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/migrations");
        let files = std::fs::read_dir(folder).unwrap().count();
        let numbers: Vec<i64> = VERSIONS.iter().map(|(number, ..)| *number).collect();
        assert_eq!(numbers, (1..=i64::try_from(files).unwrap()).collect::<Vec<_>>());
    }
}
