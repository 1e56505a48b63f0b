//! Splitting text into statements and telling them apart.

use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::definition::{self, RelationDefinition};
use crate::SqlError;

/// Deepest nesting of expressions and subqueries a statement may have.
const RECURSION_LIMIT: usize = 64;

/// Most operators a statement may have. The parser makes a chain of them without recursion, but the
/// tree that it makes is as deep as the chain is long, and is walked on the stack.
const OPERATORS_MAX: usize = 500;

/// What `SHOW` lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShowKind {
    /// Streams.
    Streams,
    /// Tables.
    Tables,
    /// Materialized views.
    Views,
    /// Running continuous queries with their progress.
    Queries,
    /// Topics of the log.
    Topics,
}

/// What `DROP` drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropKind {
    /// `DROP STREAM`: forgets the stream; its topic stays.
    Stream,
    /// `DROP TABLE`: forgets the table; its topic stays.
    Table,
    /// `DROP MATERIALIZED VIEW`: stops the view and deletes its topics and state.
    View,
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// `CREATE STREAM` or `CREATE TABLE`.
    CreateRelation(Box<RelationDefinition>),
    /// `CREATE MATERIALIZED VIEW name [WITH (…)] AS query`.
    CreateView {
        /// Name, lower case unless quoted.
        name: String,
        /// Whether an existing view of that name is no error.
        if_not_exists: bool,
        /// Options of the `WITH` clause, names in lower case.
        options: Vec<(String, String)>,
        /// The query.
        query: Box<ast::Query>,
    },
    /// `DROP STREAM | TABLE | MATERIALIZED VIEW`.
    Drop {
        /// What kind of thing.
        kind: DropKind,
        /// Name, lower case unless quoted.
        name: String,
        /// Whether a missing one is no error.
        if_exists: bool,
    },
    /// `SHOW STREAMS | TABLES | VIEWS | QUERIES | TOPICS`.
    Show(ShowKind),
    /// `DESCRIBE name`.
    Describe(String),
    /// `EXPLAIN` of a continuous query (`… EMIT CHANGES`, or `CREATE MATERIALIZED VIEW`).
    ExplainContinuous(Box<ast::Query>),
    /// `SELECT … EMIT CHANGES`: a query that does not end.
    Push(Box<ast::Query>),
    /// Anything DataFusion runs as it is: `SELECT`, `VALUES`, `EXPLAIN`.
    Pull(Box<ast::Statement>),
    /// `SET name = value`.
    Set {
        /// Variable, lower case.
        name: String,
        /// Value as text.
        value: String,
    },
    /// `SHOW name` of a session variable.
    ShowVariable(String),
    /// `BEGIN`, `START TRANSACTION`.
    Begin,
    /// `COMMIT`, `END`.
    Commit,
    /// `ROLLBACK`.
    Rollback,
    /// `DISCARD`, `DEALLOCATE`, `CLOSE`, `RESET`: accepted, since there is nothing they could undo.
    Reset(String),
}

/// Splits `text` at its top-level semicolons. Statements of white space and comments are left out.
///
/// # Errors
/// [`SqlError::Syntax`] if the text cannot be cut into tokens (an open quote, say).
pub fn split(text: &str) -> Result<Vec<String>, SqlError> {
    let tokens = tokenize(text)?;
    let lines = line_starts(text);
    let mut statements = Vec::new();
    let mut start = 0;
    let mut has_content = false;
    for token in &tokens {
        match &token.token {
            Token::SemiColon => {
                let at = byte_offset(text, &lines, token.span.start.line, token.span.start.column);
                if has_content {
                    statements.push(text[start..at].trim().to_owned());
                }
                start = at + 1;
                has_content = false;
            }
            Token::Whitespace(_) | Token::EOF => {}
            _ => has_content = true,
        }
    }
    if has_content {
        statements.push(text[start..].trim().to_owned());
    }
    Ok(statements)
}

/// Parses one statement (no semicolon in it).
///
/// # Errors
/// [`SqlError::Syntax`] with the position, [`SqlError::InvalidDefinition`] for a declaration that
/// cannot be, [`SqlError::Unsupported`] for statements that are known and not served.
pub fn parse(text: &str) -> Result<Statement, SqlError> {
    let mut tokens = tokenize(text)?;
    tokens.retain(|t| {
        !matches!(
            t.token,
            Token::Whitespace(_) | Token::EOF | Token::SemiColon
        )
    });
    let operators = tokens.iter().filter(|t| is_operator(&t.token)).count();
    if operators > OPERATORS_MAX {
        return Err(SqlError::Syntax(format!(
            "the statement has {operators} operators, at most {OPERATORS_MAX} are served; split it, \
             or write IN (…) for many comparisons"
        )));
    }
    let emit_changes = strip_emit_changes(&mut tokens)?;
    let dialect = PostgreSqlDialect {};
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(RECURSION_LIMIT)
        .with_tokens_with_locations(tokens);
    let statement = parse_statement(&mut parser, emit_changes)?;
    match parser.peek_token().token {
        Token::EOF => Ok(statement),
        _ => Err(unexpected(&parser, "the end of the statement")),
    }
}

/// Whether a token can make the tree deeper by following another of its kind.
fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::IS
                | Keyword::LIKE
                | Keyword::COLLATE
                | Keyword::UNION
                | Keyword::EXCEPT
                | Keyword::INTERSECT
                | Keyword::JOIN
        ),
        Token::Number(..)
        | Token::Char(_)
        | Token::Comma
        | Token::Period
        | Token::LParen
        | Token::RParen
        | Token::LBrace
        | Token::RBrace
        | Token::Placeholder(_) => false,
        Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::DollarQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::SingleQuotedByteStringLiteral(_) => false,
        _ => true,
    }
}

/// Whether `text` ends with the semicolon that ends its last statement: one outside of strings and
/// comments.
pub fn is_complete(text: &str) -> bool {
    match Tokenizer::new(&PostgreSqlDialect {}, text).tokenize() {
        Ok(tokens) => {
            let mut significant = tokens.iter().rev();
            let last = significant.find(|t| !matches!(t, Token::Whitespace(_) | Token::EOF));
            last == Some(&Token::SemiColon)
        }
        // A string, name or comment that is still open goes on in the next line; other errors are
        // the server's to tell.
        Err(error) => {
            let is_open = ["Unterminated", "EOF"].map(|word| error.message.contains(word));
            !is_open.contains(&true) && text.trim_end().ends_with(';')
        }
    }
}

fn parse_statement(parser: &mut Parser<'_>, emit_changes: bool) -> Result<Statement, SqlError> {
    let first = word(parser, 0);
    let second = word(parser, 1);
    let statement = match (first.as_str(), second.as_str()) {
        ("CREATE", "STREAM" | "TABLE") => {
            Statement::CreateRelation(Box::new(definition::parse_create_relation(parser)?))
        }
        ("CREATE", "MATERIALIZED") => parse_create_view(parser)?,
        ("CREATE", other) => {
            return Err(SqlError::Unsupported(format!(
                "CREATE {other}; there is CREATE STREAM, CREATE TABLE and CREATE MATERIALIZED VIEW"
            )));
        }
        ("DROP", _) => parse_drop(parser)?,
        ("SHOW", what) => {
            let show = match what {
                "STREAMS" => ShowKind::Streams,
                "TABLES" => ShowKind::Tables,
                "VIEWS" => ShowKind::Views,
                "QUERIES" => ShowKind::Queries,
                "TOPICS" => ShowKind::Topics,
                _ => return parse_show_variable(parser),
            };
            advance(parser, 2);
            Statement::Show(show)
        }
        ("DESCRIBE" | "DESC", _) => {
            advance(parser, 1);
            Statement::Describe(parse_name(parser)?)
        }
        ("EXPLAIN", "CREATE") => {
            advance(parser, 1);
            match parse_create_view(parser)? {
                Statement::CreateView { query, .. } => Statement::ExplainContinuous(query),
                _ => return Err(unexpected(parser, "CREATE MATERIALIZED VIEW after EXPLAIN")),
            }
        }
        ("EXPLAIN", _) if emit_changes => {
            advance(parser, 1);
            return Ok(Statement::ExplainContinuous(
                parser.parse_query().map_err(syntax)?,
            ));
        }
        ("SELECT" | "WITH" | "(", _) if emit_changes => {
            return Ok(Statement::Push(parser.parse_query().map_err(syntax)?));
        }
        ("SET", _) => parse_set(parser)?,
        ("BEGIN", _) | ("START", "TRANSACTION") => rest(parser, Statement::Begin),
        ("COMMIT" | "END", _) => rest(parser, Statement::Commit),
        ("ROLLBACK" | "ABORT", _) => rest(parser, Statement::Rollback),
        ("DISCARD" | "DEALLOCATE" | "CLOSE" | "RESET", _) => {
            rest(parser, Statement::Reset(first.clone()))
        }
        ("SELECT" | "WITH" | "VALUES" | "EXPLAIN" | "TABLE" | "(", _) => {
            Statement::Pull(Box::new(parser.parse_statement().map_err(syntax)?))
        }
        ("INSERT" | "UPDATE" | "DELETE" | "ALTER" | "COPY" | "MERGE" | "TRUNCATE", _) => {
            return Err(SqlError::Unsupported(format!(
                "{first}; rows come in through topics: produce to the topic of the stream or table"
            )));
        }
        _ => return Err(unexpected(parser, "a statement")),
    };
    if emit_changes {
        return Err(SqlError::Syntax(
            "EMIT CHANGES belongs to a SELECT".to_owned(),
        ));
    }
    Ok(statement)
}

fn parse_create_view(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    expect(parser, &["CREATE", "MATERIALIZED", "VIEW"])?;
    let if_not_exists = accept(parser, &["IF", "NOT", "EXISTS"]);
    let name = parse_name(parser)?;
    let options = if word(parser, 0) == "WITH" {
        definition::parse_options(parser)?
    } else {
        Vec::new()
    };
    expect(parser, &["AS"])?;
    let query = parser.parse_query().map_err(syntax)?;
    Ok(Statement::CreateView {
        name,
        if_not_exists,
        options,
        query,
    })
}

fn parse_drop(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    advance(parser, 1);
    let kind = if accept(parser, &["STREAM"]) {
        DropKind::Stream
    } else if accept(parser, &["TABLE"]) {
        DropKind::Table
    } else if accept(parser, &["MATERIALIZED", "VIEW"]) || accept(parser, &["VIEW"]) {
        DropKind::View
    } else {
        return Err(unexpected(parser, "STREAM, TABLE or MATERIALIZED VIEW"));
    };
    let if_exists = accept(parser, &["IF", "EXISTS"]);
    let name = parse_name(parser)?;
    Ok(Statement::Drop {
        kind,
        name,
        if_exists,
    })
}

fn parse_set(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    advance(parser, 1);
    let _ = accept(parser, &["SESSION"]) || accept(parser, &["LOCAL"]);
    let mut words = Vec::new();
    let mut value = Vec::new();
    let mut in_value = false;
    loop {
        match parser.next_token().token {
            Token::EOF => break,
            Token::Eq if !in_value => in_value = true,
            Token::Word(w) if !in_value && w.keyword == Keyword::TO => in_value = true,
            Token::SingleQuotedString(text) => {
                if in_value {
                    value.push(text)
                } else {
                    words.push(text)
                }
            }
            token if in_value => value.push(token.to_string()),
            token => words.push(token.to_string()),
        }
    }
    if words.is_empty() {
        return Err(SqlError::Syntax("expected a variable after SET".to_owned()));
    }
    Ok(Statement::Set {
        name: words.concat().to_lowercase(),
        value: value.concat(),
    })
}

fn parse_show_variable(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    advance(parser, 1);
    let mut name = Vec::new();
    loop {
        match parser.next_token().token {
            Token::EOF => break,
            token => name.push(token.to_string()),
        }
    }
    if name.is_empty() {
        return Err(SqlError::Syntax(
            "expected STREAMS, TABLES, VIEWS, QUERIES, TOPICS or a variable after SHOW".to_owned(),
        ));
    }
    Ok(Statement::ShowVariable(
        name.join("_").to_lowercase().replace("_._", "."),
    ))
}

/// A one-part name, lower case unless quoted. A leading `public.` is dropped.
pub(super) fn parse_name(parser: &mut Parser<'_>) -> Result<String, SqlError> {
    let name = parser.parse_object_name(false).map_err(syntax)?;
    let mut parts: Vec<String> = name
        .0
        .iter()
        .filter_map(|part| part.as_ident())
        .map(normalize)
        .collect();
    if parts.len() == 2 && parts[0] == "public" {
        parts.remove(0);
    }
    match parts.pop() {
        Some(part) if parts.is_empty() => Ok(part),
        _ => Err(SqlError::Syntax(format!(
            "expected a one-part name, found {name}"
        ))),
    }
}

/// An identifier as the catalogue holds it.
pub(super) fn normalize(ident: &ast::Ident) -> String {
    if ident.quote_style.is_some() {
        ident.value.clone()
    } else {
        ident.value.to_lowercase()
    }
}

pub(super) fn syntax(error: ParserError) -> SqlError {
    match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => {
            SqlError::Syntax(text)
        }
        ParserError::RecursionLimitExceeded => {
            SqlError::Syntax(format!("nested more than {RECURSION_LIMIT} deep"))
        }
    }
}

pub(super) fn unexpected(parser: &Parser<'_>, wanted: &str) -> SqlError {
    let token = parser.peek_token();
    match token.token {
        Token::EOF => SqlError::Syntax(format!("expected {wanted}, found the end of the text")),
        _ => SqlError::Syntax(format!(
            "expected {wanted}, found {} at line {}, column {}",
            token.token, token.span.start.line, token.span.start.column
        )),
    }
}

/// The `n`th token ahead as an upper-case word, or its text.
pub(super) fn word(parser: &Parser<'_>, n: usize) -> String {
    match parser.peek_nth_token(n).token {
        Token::Word(w) if w.quote_style.is_none() => w.value.to_uppercase(),
        Token::EOF => String::new(),
        other => other.to_string(),
    }
}

pub(super) fn advance(parser: &mut Parser<'_>, n: usize) {
    for _ in 0..n {
        parser.next_token();
    }
}

/// Consumes `words` if they come next.
pub(super) fn accept(parser: &mut Parser<'_>, words: &[&str]) -> bool {
    let found = words.iter().enumerate().all(|(i, w)| word(parser, i) == *w);
    if found {
        advance(parser, words.len());
    }
    found
}

pub(super) fn expect(parser: &mut Parser<'_>, words: &[&str]) -> Result<(), SqlError> {
    if accept(parser, words) {
        Ok(())
    } else {
        Err(unexpected(parser, &words.join(" ")))
    }
}

fn rest(parser: &mut Parser<'_>, statement: Statement) -> Statement {
    while parser.next_token().token != Token::EOF {}
    statement
}

fn tokenize(text: &str) -> Result<Vec<TokenWithSpan>, SqlError> {
    Tokenizer::new(&PostgreSqlDialect {}, text)
        .tokenize_with_location()
        .map_err(|e| SqlError::Syntax(e.to_string()))
}

/// `FROM t EMIT CHANGES` would make EMIT an alias of `t`, so the clause is taken off beforehand.
fn strip_emit_changes(tokens: &mut Vec<TokenWithSpan>) -> Result<bool, SqlError> {
    let is = |token: Option<&TokenWithSpan>, text: &str| {
        matches!(token.map(|t| &t.token), Some(Token::Word(w)) if w.quote_style.is_none()
            && w.value.eq_ignore_ascii_case(text))
    };
    let n = tokens.len();
    if n >= 2 && is(tokens.get(n - 2), "emit") {
        if is(tokens.last(), "changes") {
            tokens.truncate(n - 2);
            return Ok(true);
        }
        if is(tokens.last(), "final") {
            return Err(SqlError::Unsupported(
                "EMIT FINAL; results are emitted at each commit (EMIT CHANGES)".to_owned(),
            ));
        }
    }
    Ok(false)
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0)
        .chain(text.match_indices('\n').map(|(i, _)| i + 1))
        .collect()
}

/// Columns count characters from 1.
fn byte_offset(text: &str, lines: &[usize], line: u64, column: u64) -> usize {
    let start = usize::try_from(line)
        .ok()
        .and_then(|l| lines.get(l.wrapping_sub(1)))
        .copied();
    let Some(start) = start else {
        return text.len();
    };
    let characters = usize::try_from(column)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    text[start..]
        .char_indices()
        .nth(characters)
        .map_or(text.len(), |(i, _)| start + i)
}
