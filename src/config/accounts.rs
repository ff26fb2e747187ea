//! The users and groups of this host, by name, as `/etc/passwd` and `/etc/group` tell.
//!
//! Why not the whole name service: it needs the C library's unsafe functions, and an
//! account that comes from a directory can be written as its number.

use std::{fs, path::Path};

use super::address::Wrong;

const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

/// The number of a user.
pub(super) fn user(name: &str) -> Result<u32, Wrong> {
    number(Path::new(USERS), "user", name)
}

/// The number of a group.
pub(super) fn group(name: &str) -> Result<u32, Wrong> {
    number(Path::new(GROUPS), "group", name)
}

/// The user and the group of `USER:GROUP`, where either may be empty.
pub(super) fn owner(text: &str) -> Result<(Option<u32>, Option<u32>), Wrong> {
    let (user_name, group_name) = text.split_once(':').unwrap_or((text, ""));
    if user_name.is_empty() && group_name.is_empty() {
        let help = "write \"postfax:postfix\", or \":postfix\" for the group alone";
        return Err(Wrong::new(format!("\"{text}\" names neither a user nor a group"), help));
    }
    let given = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    let user = given(user_name).map(|name| user(&name)).transpose()?;
    Ok((user, given(group_name).map(|name| group(&name)).transpose()?))
}

fn number(file: &Path, what: &str, name: &str) -> Result<u32, Wrong> {
    // The highest number means nobody at all to the kernel.
    if let Ok(number) = name.parse::<u32>()
        && number != u32::MAX
    {
        return Ok(number);
    }
    let accounts = fs::read_to_string(file).unwrap_or_default();
    find(&accounts, name).ok_or_else(|| {
        let help = format!(
            "use a name of {}, or the number of a {what} that comes from elsewhere",
            file.display()
        );
        Wrong::new(format!("there is no {what} \"{name}\" on this host"), help)
    })
}

/// Both files have `name:password:number:...` on each line.
fn find(accounts: &str, name: &str) -> Option<u32> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_found() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\npostfix:x:102:104::/var/spool:/bin/false\n";
        for (name, number) in
            [("root", Some(0)), ("postfix", Some(102)), ("post", None), ("x", None), ("", None)]
        {
            assert_eq!(find(accounts, name), number, "{name}");
        }
        assert_eq!(user("root").unwrap(), 0);
        assert_eq!(user("4711").unwrap(), 4711);
        assert!(user("4294967295").is_err());
        assert!(user("no-such-user-here").unwrap_err().help.contains("/etc/passwd"));
        assert_eq!(owner("root:root").unwrap(), (Some(0), Some(0)));
        assert_eq!(owner("root").unwrap(), (Some(0), None));
        assert_eq!(owner(":root").unwrap(), (None, Some(0)));
        for bad in ["", ":", "no-such-user-here", "root:no-such-group-here", "a:b:c"] {
            assert!(owner(bad).is_err(), "{bad}");
        }
    }
}
