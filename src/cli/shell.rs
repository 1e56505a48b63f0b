//! The SQL shell: lines to statements, Ctrl-C to cancel one.

use std::io::IsTerminal;

use anyhow::bail;
use headwater_sql::dialect::is_complete;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use tokio_postgres::{Client, NoTls};

use super::output::Format;
use super::sql::print_result;

const HELP: &str =
    "Statements end with a semicolon. \\d lists what there is, \\d NAME describes one, \\q leaves.";

/// Reads statements until the end of the input.
pub(super) async fn run(client: &Client, format: Format) -> anyhow::Result<()> {
    let is_interactive = std::io::stdin().is_terminal();
    if is_interactive {
        eprintln!("{HELP}");
    }
    let mut failed = 0;
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
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        };
        let words: Vec<_> = line.split_whitespace().collect();
        match (pending.is_empty(), words.as_slice()) {
            (true, []) => {}
            (true, ["\\q" | "exit" | "quit", ..]) => break,
            (true, ["\\?" | "help", ..]) => eprintln!("{HELP}"),
            (true, ["\\d" | "\\dt"]) => {
                for list in ["SHOW STREAMS", "SHOW TABLES", "SHOW VIEWS"] {
                    failed += u32::from(!execute(client, list, format).await);
                }
            }
            (true, ["\\d", name]) => {
                let describe = format!("DESCRIBE {name}");
                failed += u32::from(!execute(client, &describe, format).await);
            }
            _ => {
                pending.push_str(&line);
                pending.push('\n');
                if is_complete(&pending) {
                    // A history that cannot grow is no reason to stop.
                    let _ = editor.add_history_entry(pending.trim());
                    failed += u32::from(!execute(client, &pending, format).await);
                    pending.clear();
                }
            }
        }
    }
    if !pending.trim().is_empty() {
        failed += u32::from(!execute(client, &pending, format).await);
    }
    if failed > 0 && !is_interactive {
        bail!("{failed} statements failed");
    }
    Ok(())
}

/// Runs one statement; its failure is told and the shell goes on. False if it failed.
async fn execute(client: &Client, statement: &str, format: Format) -> bool {
    let result = tokio::select! {
        result = print_result(client, statement, format) => result,
        _ = tokio::signal::ctrl_c() => {
            let cancelled = client.cancel_token().cancel_query(NoTls).await;
            cancelled.map_err(anyhow::Error::from)
        }
    };
    if let Err(error) = &result {
        eprintln!("{error:#}");
    }
    result.is_ok()
}
