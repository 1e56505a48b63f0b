//! `CREATE STREAM` and `CREATE TABLE`: columns, keys, watermark and options.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::statement::{accept, expect, normalize, parse_name, syntax, unexpected, word};
use crate::SqlError;

/// A column of a stream or table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDefinition {
    /// Name, lower case unless quoted.
    pub name: String,
    /// Arrow type of its values.
    pub data_type: DataType,
    /// Whether null is an error (`NOT NULL`, and primary keys).
    pub not_null: bool,
}

/// `WATERMARK FOR column AS column - INTERVAL '…'`.
#[derive(Debug, Clone, PartialEq)]
pub struct WatermarkDefinition {
    /// The column that holds event time.
    pub column: String,
    /// How far the watermark stays behind the greatest event time seen.
    pub delay: ast::Expr,
}

/// `CREATE STREAM` or `CREATE TABLE` as written.
#[derive(Debug, Clone, PartialEq)]
pub struct RelationDefinition {
    /// Whether it is a table (latest row of a key) or a stream (every row).
    pub is_table: bool,
    /// Name, lower case unless quoted.
    pub name: String,
    /// Whether an existing one of that name is no error.
    pub if_not_exists: bool,
    /// Columns in order.
    pub columns: Vec<ColumnDefinition>,
    /// Columns of the primary key of a table, or of the key of a stream; may be empty for streams.
    pub key: Vec<String>,
    /// The declared watermark.
    pub watermark: Option<WatermarkDefinition>,
    /// Options of the `WITH` clause, names in lower case.
    pub options: Vec<(String, String)>,
}

pub(super) fn parse_create_relation(
    parser: &mut Parser<'_>,
) -> Result<RelationDefinition, SqlError> {
    expect(parser, &["CREATE"])?;
    let is_table = accept(parser, &["TABLE"]);
    if !is_table {
        expect(parser, &["STREAM"])?;
    }
    let if_not_exists = accept(parser, &["IF", "NOT", "EXISTS"]);
    let name = parse_name(parser)?;
    let mut definition = RelationDefinition {
        is_table,
        name,
        if_not_exists,
        columns: Vec::new(),
        key: Vec::new(),
        watermark: None,
        options: Vec::new(),
    };
    punctuation(parser, &Token::LParen, "(")?;
    loop {
        parse_element(parser, &mut definition)?;
        if parser.consume_token(&Token::RParen) {
            break;
        }
        punctuation(parser, &Token::Comma, ", or )")?;
    }
    definition.options = parse_options(parser)?;
    check(&definition)?;
    Ok(definition)
}

fn parse_element(
    parser: &mut Parser<'_>,
    definition: &mut RelationDefinition,
) -> Result<(), SqlError> {
    if accept(parser, &["WATERMARK", "FOR"]) {
        let watermark = parse_watermark(parser)?;
        if definition.watermark.replace(watermark).is_some() {
            return Err(SqlError::InvalidDefinition(
                "more than one WATERMARK".to_owned(),
            ));
        }
        return Ok(());
    }
    let key = match (
        word(parser, 0).as_str(),
        word(parser, 1).as_str(),
        word(parser, 2).as_str(),
    ) {
        ("PRIMARY", "KEY", "(") => accept(parser, &["PRIMARY", "KEY"]),
        ("KEY", "(", _) => accept(parser, &["KEY"]),
        _ => false,
    };
    if key {
        if !definition.key.is_empty() {
            return Err(SqlError::InvalidDefinition("more than one key".to_owned()));
        }
        let columns = parser.parse_parenthesized_column_list(
            datafusion::sql::sqlparser::parser::IsOptional::Mandatory,
            false,
        );
        definition.key = columns.map_err(syntax)?.iter().map(normalize).collect();
        return Ok(());
    }
    let name = normalize(&parser.parse_identifier().map_err(syntax)?);
    let data_type = arrow_type(&name, &parser.parse_data_type().map_err(syntax)?)?;
    let mut column = ColumnDefinition {
        name,
        data_type,
        not_null: false,
    };
    loop {
        if accept(parser, &["PRIMARY", "KEY"]) || accept(parser, &["KEY"]) {
            if !definition.key.is_empty() {
                return Err(SqlError::InvalidDefinition(
                    "more than one key; for several columns write PRIMARY KEY (a, b)".to_owned(),
                ));
            }
            definition.key.push(column.name.clone());
        } else if accept(parser, &["NOT", "NULL"]) {
            column.not_null = true;
        } else if !accept(parser, &["NULL"]) {
            break;
        }
    }
    definition.columns.push(column);
    Ok(())
}

fn parse_watermark(parser: &mut Parser<'_>) -> Result<WatermarkDefinition, SqlError> {
    let column = normalize(&parser.parse_identifier().map_err(syntax)?);
    expect(parser, &["AS"])?;
    let refuse = || {
        SqlError::InvalidDefinition(format!(
            "a watermark reads WATERMARK FOR {column} AS {column} - INTERVAL '5 seconds'"
        ))
    };
    let delay = match parser.parse_expr().map_err(syntax)? {
        ast::Expr::BinaryOp {
            left,
            op: ast::BinaryOperator::Minus,
            right,
        } => match *left {
            ast::Expr::Identifier(ident) if normalize(&ident) == column => *right,
            _ => return Err(refuse()),
        },
        ast::Expr::Identifier(ident) if normalize(&ident) == column => {
            ast::Expr::Value(ast::Value::Number("0".to_owned(), false).into())
        }
        _ => return Err(refuse()),
    };
    Ok(WatermarkDefinition { column, delay })
}

/// `WITH (name = 'value', …)`; nothing if there is no `WITH`.
pub(super) fn parse_options(parser: &mut Parser<'_>) -> Result<Vec<(String, String)>, SqlError> {
    if !accept(parser, &["WITH"]) {
        return Ok(Vec::new());
    }
    punctuation(parser, &Token::LParen, "( after WITH")?;
    let mut options: Vec<(String, String)> = Vec::new();
    loop {
        let mut name = String::new();
        loop {
            match parser.next_token().token {
                Token::Eq => break,
                Token::Word(w) => name.push_str(&w.value.to_lowercase()),
                Token::SingleQuotedString(text) => name.push_str(&text.to_lowercase()),
                Token::Period => name.push('.'),
                _ => return Err(unexpected(parser, "name = 'value' in WITH")),
            }
        }
        let value = match parser.next_token().token {
            Token::SingleQuotedString(text) => text,
            Token::Number(text, _) => text,
            Token::Word(w) => w.value.to_lowercase(),
            _ => return Err(unexpected(parser, "a value in WITH")),
        };
        if options.iter().any(|(n, _)| *n == name) {
            return Err(SqlError::InvalidDefinition(format!(
                "option {name} is given twice"
            )));
        }
        options.push((name, value));
        if parser.consume_token(&Token::RParen) {
            return Ok(options);
        }
        punctuation(parser, &Token::Comma, ", or )")?;
    }
}

fn check(definition: &RelationDefinition) -> Result<(), SqlError> {
    let has = |name: &str| definition.columns.iter().any(|c| c.name == name);
    for (i, column) in definition.columns.iter().enumerate() {
        if definition.columns[..i]
            .iter()
            .any(|c| c.name == column.name)
        {
            return Err(SqlError::InvalidDefinition(format!(
                "column {} twice",
                column.name
            )));
        }
        if column.name.starts_with('_') {
            return Err(SqlError::InvalidDefinition(format!(
                "column {}: names with a leading underscore are kept for the record's own fields",
                column.name
            )));
        }
    }
    if definition.columns.is_empty() {
        return Err(SqlError::InvalidDefinition("no columns".to_owned()));
    }
    if let Some(missing) = definition.key.iter().find(|k| !has(k)) {
        return Err(SqlError::InvalidDefinition(format!(
            "key column {missing} is not declared"
        )));
    }
    if definition.is_table && definition.key.is_empty() {
        return Err(SqlError::InvalidDefinition(format!(
            "table {} needs a PRIMARY KEY",
            definition.name
        )));
    }
    if let Some(watermark) = &definition.watermark {
        if definition.is_table {
            return Err(SqlError::InvalidDefinition(
                "a table has no WATERMARK; declare it on the stream".to_owned(),
            ));
        }
        let column = &watermark.column;
        let is_time = column == crate::catalog::TIMESTAMP
            || definition
                .columns
                .iter()
                .any(|c| c.name == *column && matches!(c.data_type, DataType::Timestamp(..)));
        if !is_time {
            return Err(SqlError::InvalidDefinition(format!(
                "the watermark needs a TIMESTAMP column or _timestamp; {column} is none"
            )));
        }
    }
    Ok(())
}

fn arrow_type(column: &str, data_type: &ast::DataType) -> Result<DataType, SqlError> {
    use ast::DataType as Sql;
    Ok(match data_type {
        Sql::Boolean | Sql::Bool => DataType::Boolean,
        Sql::SmallInt(_) | Sql::Int2(_) => DataType::Int16,
        Sql::Int(_) | Sql::Integer(_) | Sql::Int4(_) => DataType::Int32,
        Sql::BigInt(_) | Sql::Int8(_) => DataType::Int64,
        Sql::Real | Sql::Float4 => DataType::Float32,
        Sql::Double(_) | Sql::DoublePrecision | Sql::Float8 | Sql::Float(_) => DataType::Float64,
        Sql::Varchar(_) | Sql::Text | Sql::String(_) | Sql::Char(_) | Sql::CharacterVarying(_) => {
            DataType::Utf8
        }
        Sql::Timestamp(_, ast::TimezoneInfo::None | ast::TimezoneInfo::WithoutTimeZone) => {
            DataType::Timestamp(TimeUnit::Millisecond, None)
        }
        Sql::Date => DataType::Date32,
        other => {
            return Err(SqlError::Unsupported(format!(
                "type {other} of column {column}; there are BOOLEAN, SMALLINT, INTEGER, BIGINT, \
                 REAL, DOUBLE, VARCHAR, DATE and TIMESTAMP (UTC)"
            )));
        }
    })
}

fn punctuation(parser: &mut Parser<'_>, token: &Token, wanted: &str) -> Result<(), SqlError> {
    if parser.consume_token(token) {
        Ok(())
    } else {
        Err(unexpected(parser, wanted))
    }
}
