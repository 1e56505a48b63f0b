//! What a statement can fail with.

use datafusion::error::DataFusionError;
use headwater_client::ClientError;

/// Why a statement failed. Every variant maps to one SQLSTATE ([`SqlError::sqlstate`]).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqlError {
    /// The text is not a statement of the dialect.
    #[error("syntax error: {0}")]
    Syntax(String),
    /// The statement names a stream, table or view that does not exist.
    #[error("{0}")]
    UnknownRelation(String),
    /// The statement names a column that does not exist.
    #[error("{0}")]
    UnknownColumn(String),
    /// The statement creates something whose name is taken.
    #[error("{0} already exists; drop it first or choose another name")]
    AlreadyExists(String),
    /// Something else still reads what the statement would drop.
    #[error("{name} is still read by {dependants}; drop that first")]
    InUse {
        /// What was to be dropped.
        name: String,
        /// The views that read it, comma separated.
        dependants: String,
    },
    /// A `WITH` option or a declaration that cannot be.
    #[error("{0}")]
    InvalidDefinition(String),
    /// Valid SQL that a continuous query cannot keep up to date, or that is not served yet.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// DataFusion's planner or executor refused.
    #[error("{}", .0.strip_backtrace())]
    Query(Box<DataFusionError>),
    /// A record does not hold what its relation declares.
    #[error("{0}")]
    Data(String),
    /// The log refused.
    #[error(transparent)]
    Log(#[from] ClientError),
    /// The streams application of a view or of a push query failed.
    #[error("{0}")]
    Application(String),
    /// The engine is shutting down.
    #[error("the engine is shutting down")]
    ShuttingDown,
}

impl From<DataFusionError> for SqlError {
    fn from(error: DataFusionError) -> Self {
        SqlError::Query(Box::new(error))
    }
}

impl From<arrow::error::ArrowError> for SqlError {
    fn from(error: arrow::error::ArrowError) -> Self {
        SqlError::Query(Box::new(error.into()))
    }
}

impl SqlError {
    /// The five-character SQLSTATE that PostgreSQL's clients expect for this failure.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            SqlError::Syntax(_) => "42601",
            SqlError::UnknownRelation(_) => "42P01",
            SqlError::UnknownColumn(_) => "42703",
            SqlError::AlreadyExists(_) => "42P07",
            SqlError::InUse { .. } => "2BP01",
            SqlError::InvalidDefinition(_) => "42P17",
            SqlError::Unsupported(_) => "0A000",
            SqlError::Data(_) => "22P02",
            SqlError::Log(_) => "58030",
            SqlError::Application(_) => "58000",
            SqlError::ShuttingDown => "57P01",
            SqlError::Query(error) => query_sqlstate(error),
        }
    }
}

fn query_sqlstate(error: &DataFusionError) -> &'static str {
    use datafusion::common::SchemaError;
    match error.find_root() {
        DataFusionError::SQL(..) => "42601",
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { .. } => "42703",
            SchemaError::AmbiguousReference { .. } => "42702",
            _ => "42701",
        },
        DataFusionError::NotImplemented(_) => "0A000",
        DataFusionError::Plan(message)
            if message.contains("table") && message.contains("not found") =>
        {
            "42P01"
        }
        DataFusionError::Plan(message) if message.contains("Invalid function") => "42883",
        DataFusionError::Plan(_) => "42804",
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            arrow::error::ArrowError::DivideByZero => "22012",
            arrow::error::ArrowError::CastError(_) | arrow::error::ArrowError::ParseError(_) => {
                "22P02"
            }
            arrow::error::ArrowError::ArithmeticOverflow(_) => "22003",
            _ => "XX000",
        },
        DataFusionError::ResourcesExhausted(_) => "53200",
        _ => "XX000",
    }
}
