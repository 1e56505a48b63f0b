//! Window functions of the FROM clause in terms of plain SQL, so that a query means the same to the
//! batch engine as to a continuous query.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, Expr, FunctionArg, FunctionArgExpr, ObjectName, TableFactor, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::statement::{normalize, syntax};
use crate::SqlError;
use crate::catalog::PSEUDO_COLUMNS;

/// What a query mentions.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Mentions {
    /// Fields of the record (`_timestamp`, `_key`, …) that the query names. Only those are columns
    /// of its relations, so that `SELECT *` gives the declared ones.
    pub pseudo_columns: BTreeSet<&'static str>,
}

/// Replaces `TUMBLE(t, column, size)` by a subquery that adds `window_start` and `window_end`, and
/// notes what the query mentions.
///
/// # Errors
/// [`SqlError::Syntax`] for wrong arguments, [`SqlError::Unsupported`] for other windows.
pub fn rewrite<T: VisitMut>(query: &mut T) -> Result<Mentions, SqlError> {
    let mut rewriter = Rewriter {
        mentions: Mentions::default(),
    };
    match query.visit(&mut rewriter) {
        ControlFlow::Continue(()) => Ok(rewriter.mentions),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewriter {
    mentions: Mentions,
}

impl VisitorMut for Rewriter {
    type Break = SqlError;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        let ident = match expr {
            Expr::Identifier(ident) => Some(&*ident),
            Expr::CompoundIdentifier(parts) => parts.last(),
            _ => None,
        };
        if let Some(name) = ident.map(normalize) {
            self.mentions
                .pseudo_columns
                .extend(PSEUDO_COLUMNS.iter().find(|p| **p == name));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<SqlError> {
        match replacement(factor) {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(subquery)) => {
                *factor = subquery;
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }
}

fn replacement(factor: &TableFactor) -> Result<Option<TableFactor>, SqlError> {
    let TableFactor::Table {
        name,
        alias,
        args: Some(args),
        ..
    } = factor
    else {
        return Ok(None);
    };
    let function = name.to_string().to_lowercase();
    match function.as_str() {
        "tumble" => {}
        "hop" | "session" | "cumulate" => {
            return Err(SqlError::Unsupported(format!(
                "{function} windows; there is TUMBLE"
            )));
        }
        _ => return Ok(None),
    }
    let arguments: Vec<&Expr> = args
        .args
        .iter()
        .filter_map(|a| match a {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e),
            _ => None,
        })
        .collect();
    let [table, column, size] = arguments[..] else {
        return Err(usage());
    };
    if arguments.len() != args.args.len() {
        return Err(usage());
    }
    let table = match table {
        Expr::Identifier(ident) => ObjectName::from(vec![ident.clone()]),
        Expr::CompoundIdentifier(parts) => ObjectName::from(parts.clone()),
        _ => return Err(usage()),
    };
    if !matches!(column, Expr::Identifier(_)) {
        return Err(usage());
    }
    let text = format!(
        "SELECT *, date_bin({size}, {column}) AS window_start, \
         date_bin({size}, {column}) + {size} AS window_end FROM {table}"
    );
    let query = Parser::new(&PostgreSqlDialect {})
        .try_with_sql(&text)
        .and_then(|mut parser| parser.parse_query())
        .map_err(syntax)?;
    let alias = match alias {
        Some(alias) => alias.clone(),
        // The columns stay reachable by the table's own name.
        None => ast::TableAlias {
            explicit: true,
            name: table
                .0
                .last()
                .and_then(|p| p.as_ident())
                .cloned()
                .ok_or_else(usage)?,
            columns: Vec::new(),
            at: None,
        },
    };
    Ok(Some(TableFactor::Derived {
        lateral: false,
        subquery: query,
        alias: Some(alias),
        sample: None,
    }))
}

fn usage() -> SqlError {
    SqlError::Syntax(
        "TUMBLE takes a stream, its time column and a size: \
         TUMBLE(flights, _timestamp, INTERVAL '1 hour')"
            .to_owned(),
    )
}
