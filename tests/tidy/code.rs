//! Rust as far as the rules of the house need to read it: code without comments and
//! texts, and the paths that it names. Knows no rule.

/// The source with comments and the insides of texts blanked. Lines stay where they are.
pub fn without_words(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match chars[at] {
            '/' if chars.get(at + 1) == Some(&'/') => line_end(&chars, at),
            '/' if chars.get(at + 1) == Some(&'*') => block_end(&chars, at),
            '"' => text_end(&chars, at),
            'r' if is_raw(&chars, at) => raw_end(&chars, at),
            '\'' => char_end(&chars, at),
            _ => at,
        };
        if end == at {
            code.push(chars[at]);
            at += 1;
        } else {
            code.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

fn line_end(chars: &[char], at: usize) -> usize {
    (at..chars.len()).find(|i| chars[*i] == '\n').unwrap_or(chars.len())
}

fn block_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0;
    let mut i = at;
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => (depth, i) = (depth + 1, i + 1),
            ('*', '/') => (depth, i) = (depth - 1, i + 1),
            _ => {}
        }
        i += 1;
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

fn text_end(chars: &[char], at: usize) -> usize {
    let mut i = at + 1;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

fn is_raw(chars: &[char], at: usize) -> bool {
    let part_of_a_name = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    let begins = chars[at + 1..].iter().find(|c| **c != '#') == Some(&'"');
    begins && (!part_of_a_name || chars[at - 1] == 'b')
}

fn raw_end(chars: &[char], at: usize) -> usize {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    let closes = |i: &usize| {
        chars[*i] == '"'
            && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    (at + hashes + 2..chars.len()).find(closes).map_or(chars.len(), |i| i + 1 + hashes)
}

/// The end of a character; a lifetime is none and stays.
fn char_end(chars: &[char], at: usize) -> usize {
    match chars.get(at + 1) {
        Some('\\') => (at + 3..chars.len()).find(|i| chars[*i] == '\'').map_or(at, |i| i + 1),
        Some(_) if chars.get(at + 2) == Some(&'\'') => at + 3,
        _ => at,
    }
}

/// A path that the code names, such as `std::fs::read`, and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub line: usize,
    pub segments: Vec<String>,
}

/// Every path of code from [`without_words`], those in braces of a `use` written out.
/// A name that stands alone is a path of one segment.
pub fn paths(code: &str) -> Vec<Path> {
    let mut found = Vec::new();
    // What stands before the brace that is open, for each brace.
    let mut open: Vec<Option<Vec<String>>> = Vec::new();
    let mut current: Vec<String> = Vec::new();
    let tokens = tokens(code);
    let mut end = |current: &mut Vec<String>, line: usize, open: &[Option<Vec<String>>]| {
        if !current.is_empty() {
            let mut segments = open.last().cloned().flatten().unwrap_or_default();
            segments.append(current);
            found.push(Path { line, segments });
        }
    };
    for (i, (line, token)) in tokens.iter().enumerate() {
        let joined = i > 0 && tokens[i - 1].1 == "::";
        match token.as_str() {
            "::" => {}
            "{" if joined => {
                let mut whole = open.last().cloned().flatten().unwrap_or_default();
                whole.append(&mut current);
                open.push(Some(whole));
            }
            "{" => {
                end(&mut current, *line, &open);
                open.push(None);
            }
            "}" => {
                end(&mut current, *line, &open);
                open.pop();
            }
            name if name.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                if !joined {
                    end(&mut current, *line, &open);
                }
                current.push(name.to_owned());
            }
            _ => end(&mut current, *line, &open),
        }
    }
    end(&mut current, code.lines().count(), &open);
    found
}

/// Names, `::` and all other characters one by one, with their lines.
fn tokens(code: &str) -> Vec<(usize, String)> {
    let mut tokens: Vec<(usize, String)> = Vec::new();
    for (line, text) in code.lines().enumerate() {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = if first.is_alphanumeric() || first == '_' {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                tokens.push((line + 1, rest[..length].to_owned()));
            }
            rest = &rest[length..];
        }
    }
    tokens
}

/// How many lines a file has without its `#[cfg(test)]` modules.
pub fn lines_without_tests(source: &str) -> usize {
    let mut counted = 0;
    let mut lines = source.lines().peekable();
    while let Some(line) = lines.next() {
        let begins = line == "#[cfg(test)]"
            && lines.peek().is_some_and(|next| next.starts_with("mod ") && next.ends_with('{'));
        if begins {
            // Formatted code closes a module in the first column.
            for inside in lines.by_ref() {
                if inside == "}" {
                    break;
                }
            }
        } else {
            counted += 1;
        }
    }
    counted
}
