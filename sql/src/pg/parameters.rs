//! Bound parameters as literals in the statement.

use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use chrono::{NaiveDate, NaiveDateTime};
use datafusion::sql::sqlparser::ast::{self, Expr, Value, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::ast::{CastKind, ExactNumberInfo, TimezoneInfo};
use pgwire::api::Type;
use pgwire::api::portal::Portal;
use pgwire::error::PgWireResult;

use crate::SqlError;

use super::handler::{PgStatement, user_error};

/// The type a parameter is announced with: as the client said, else as the statement needs.
pub(super) fn parameter_type(given: Option<&Type>, inferred: Option<&DataType>) -> Type {
    match given {
        Some(given) if *given != Type::UNKNOWN => given.clone(),
        _ => inferred.map_or(Type::TEXT, super::encode::pg_type),
    }
}

/// Puts the values of `portal` in the place of `$1`, `$2`, ….
pub(super) fn bind(
    statement: &mut ast::Statement,
    portal: &Portal<PgStatement>,
) -> PgWireResult<()> {
    let types = &portal.statement.statement.parameters;
    let mut literals = Vec::with_capacity(types.len());
    for (i, parameter) in types.iter().enumerate() {
        literals.push(literal(portal, i, parameter)?);
    }
    let mut binder = Binder { literals };
    match statement.visit(&mut binder) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(user_error(error)),
    }
}

struct Binder {
    literals: Vec<Expr>,
}

impl VisitorMut for Binder {
    type Break = SqlError;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        let Expr::Value(value) = &*expr else {
            return ControlFlow::Continue(());
        };
        let Value::Placeholder(name) = &value.value else {
            return ControlFlow::Continue(());
        };
        let position = name.trim_start_matches('$').parse::<usize>().ok();
        match position
            .and_then(|p| p.checked_sub(1))
            .and_then(|p| self.literals.get(p))
        {
            Some(literal) => {
                *expr = literal.clone();
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(SqlError::Syntax(format!("{name} has no value"))),
        }
    }
}

fn literal(portal: &Portal<PgStatement>, i: usize, parameter: &Type) -> PgWireResult<Expr> {
    let number = |text: String| Value::Number(text, false);
    let text = |text: String| Value::SingleQuotedString(text);
    let (value, sql_type) = match *parameter {
        Type::BOOL => (
            portal.parameter::<bool>(i, parameter)?.map(Value::Boolean),
            ast::DataType::Boolean,
        ),
        Type::INT2 => (
            portal
                .parameter::<i16>(i, parameter)?
                .map(|v| number(v.to_string())),
            ast::DataType::SmallInt(None),
        ),
        Type::INT4 => (
            portal
                .parameter::<i32>(i, parameter)?
                .map(|v| number(v.to_string())),
            ast::DataType::Integer(None),
        ),
        Type::INT8 => (
            portal
                .parameter::<i64>(i, parameter)?
                .map(|v| number(v.to_string())),
            ast::DataType::BigInt(None),
        ),
        Type::FLOAT4 => (
            portal
                .parameter::<f32>(i, parameter)?
                .map(|v| text(v.to_string())),
            ast::DataType::Real,
        ),
        Type::FLOAT8 => (
            portal
                .parameter::<f64>(i, parameter)?
                .map(|v| text(v.to_string())),
            ast::DataType::Double(ExactNumberInfo::None),
        ),
        Type::TIMESTAMP => (
            portal
                .parameter::<NaiveDateTime>(i, parameter)?
                .map(|v| text(v.format("%Y-%m-%dT%H:%M:%S%.f").to_string())),
            ast::DataType::Timestamp(None, TimezoneInfo::None),
        ),
        Type::DATE => (
            portal
                .parameter::<NaiveDate>(i, parameter)?
                .map(|v| text(v.to_string())),
            ast::DataType::Date,
        ),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => (
            portal.parameter::<String>(i, parameter)?.map(text),
            ast::DataType::Varchar(None),
        ),
        ref other => {
            return Err(user_error(SqlError::Unsupported(format!(
                "parameters of type {}; cast in the client",
                other.name()
            ))));
        }
    };
    let value = value.unwrap_or(Value::Null);
    Ok(Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Value(value.into())),
        data_type: sql_type,
        format: None,
        array: false,
    })
}
