//! The SQL shell: lines to statements, Ctrl-C to cancel one.

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use tokio_postgres::{Client, NoTls};

use super::output::Format;
use super::sql::print_result;

const HELP: &str =
    "Statements end with a semicolon. \\d lists what there is, \\d NAME describes one, \\q leaves.";

/// Reads statements until the end of the input.
pub(super) async fn run(client: &Client, format: Format) -> anyhow::Result<()> {
    eprintln!("{HELP}");
    let mut editor = DefaultEditor::new()?;
    let mut pending = String::new();
    loop {
        let prompt = if pending.is_empty() {
            "headwater> "
        } else {
            "        -> "
        };
        let line = match tokio::task::block_in_place(|| editor.readline(prompt)) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                pending.clear();
                continue;
            }
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let words: Vec<_> = line.split_whitespace().collect();
        match (pending.is_empty(), words.as_slice()) {
            (true, []) => {}
            (true, ["\\q" | "exit" | "quit", ..]) => return Ok(()),
            (true, ["\\?" | "help", ..]) => eprintln!("{HELP}"),
            (true, ["\\d" | "\\dt"]) => {
                for list in ["SHOW STREAMS", "SHOW TABLES", "SHOW VIEWS"] {
                    execute(client, list, format).await;
                }
            }
            (true, ["\\d", name]) => execute(client, &format!("DESCRIBE {name}"), format).await,
            _ => {
                pending.push_str(&line);
                pending.push('\n');
                if line.trim_end().ends_with(';') {
                    // A history that cannot grow is no reason to stop.
                    let _ = editor.add_history_entry(pending.trim());
                    let statement = std::mem::take(&mut pending);
                    execute(client, statement.trim_end().trim_end_matches(';'), format).await;
                }
            }
        }
    }
}

/// Runs one statement; its failure is told and the shell goes on.
async fn execute(client: &Client, statement: &str, format: Format) {
    let result = tokio::select! {
        result = print_result(client, statement, format) => result,
        _ = tokio::signal::ctrl_c() => {
            let cancelled = client.cancel_token().cancel_query(NoTls).await;
            cancelled.map_err(anyhow::Error::from)
        }
    };
    if let Err(error) = result {
        eprintln!("{error:#}");
    }
}
