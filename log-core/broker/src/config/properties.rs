//! Properties files, as Java writes and reads them.

/// A line of a properties file that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct InvalidProperties {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// The names and values in a properties file, in the file's order: `name=value`, `name: value` or
/// `name value`, comments behind `#` and `!`, lines continued by a backslash, `\uHHHH` and the
/// usual escapes.
///
/// # Errors
/// [`InvalidProperties`] for an escape that is none, and a value without a name.
pub fn parse_properties(text: &str) -> Result<Vec<(String, String)>, InvalidProperties> {
    let mut pairs = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, first)) = lines.next() {
        let mut line = first.trim_start().to_owned();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        while is_continued(&line) {
            line.pop();
            match lines.next() {
                Some((_, next)) => line.push_str(next.trim_start()),
                None => break,
            }
        }
        let number = index + 1;
        let (name, value) = split(&line);
        let refused = |reason| InvalidProperties {
            line: number,
            reason,
        };
        let name = unescape(name).map_err(refused)?;
        let value = unescape(value).map_err(refused)?;
        if name.is_empty() {
            return Err(refused("a value without a name"));
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// Whether the line ends with a backslash that is not escaped itself.
fn is_continued(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Name and value, still escaped. Between them stands white space with at most one `=` or `:`.
fn split(line: &str) -> (&str, &str) {
    let mut is_escaped = false;
    let end = line.find(|letter: char| {
        let ends = !is_escaped && (letter == '=' || letter == ':' || letter.is_whitespace());
        is_escaped = letter == '\\' && !is_escaped;
        ends
    });
    let (name, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start();
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (name, rest.trim_start())
}

fn unescape(text: &str) -> Result<String, &'static str> {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            plain.push(letter);
            continue;
        }
        match letters.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let mut code = 0;
                for _ in 0..4 {
                    let digit = letters.next().and_then(|letter| letter.to_digit(16));
                    code = code * 16 + digit.ok_or("\\u needs four hexadecimal digits")?;
                }
                plain.push(char::from_u32(code).ok_or("\\u does not name a letter")?);
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::{InvalidProperties, parse_properties};

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse_properties(text).expect("they can be read")
    }

    #[test]
    fn names_and_values_are_split_as_in_java() {
        let text = "# a comment\n! another\n\nnum.partitions=4\n a : b \nc d\ne\nf\\=g=h\\tj\nurl=http://x:1\n";
        let expected = [
            ("num.partitions", "4"),
            ("a", "b "),
            ("c", "d"),
            ("e", ""),
            ("f=g", "h\tj"),
            ("url", "http://x:1"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(pairs(text), expected);
    }

    #[test]
    fn lines_are_continued_and_letters_escaped() {
        assert_eq!(
            pairs("listeners=PLAINTEXT://:9092,\\\n    CONTROLLER://:9093\n"),
            [(
                "listeners".to_owned(),
                "PLAINTEXT://:9092,CONTROLLER://:9093".to_owned()
            )]
        );
        assert_eq!(
            pairs("a=b\\\\\nc=d").len(),
            2,
            "an escaped backslash continues nothing"
        );
        assert_eq!(pairs("a=\\u00e4"), [("a".to_owned(), "ä".to_owned())]);
        let broken = parse_properties("a=1\nb=\\u00zz");
        assert_eq!(
            broken,
            Err(InvalidProperties {
                line: 2,
                reason: "\\u needs four hexadecimal digits"
            })
        );
        assert!(parse_properties("=x").is_err());
    }
}
