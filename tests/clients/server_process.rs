//! A broker in a process of its own, so that it can be killed.
//!
//! The process is this test binary again, told by an environment variable to be a server.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use headwater_broker::{Broker, Environment};
use tokio::runtime::Runtime;

use crate::support::broker_config;

const DATA_DIR: &str = "HEADWATER_TEST_SERVER_DATA_DIR";
const LISTEN: &str = "HEADWATER_TEST_SERVER_LISTEN";
const READY: &str = "listening on ";

/// A broker process; killed, not stopped, at the end.
pub(crate) struct ServerProcess {
    child: Child,
    address: String,
}

impl ServerProcess {
    /// Starts a broker on `data_dir` and waits until it serves.
    pub(crate) fn start(data_dir: &Path, listen: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "server_process::serve_if_told_to", "--nocapture"])
            .env(DATA_DIR, data_dir)
            .env(LISTEN, listen)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| {
                line.split_once(READY)
                    .map(|(_, address)| address.to_owned())
            })
            .expect("the server says where it listens");
        Self { child, address }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Kills the process where it stands, as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.end();
    }
}

#[test]
fn serve_if_told_to() {
    let (Ok(data_dir), Ok(listen)) = (std::env::var(DATA_DIR), std::env::var(LISTEN)) else {
        return;
    };
    let runtime = Runtime::new().unwrap();
    let config = broker_config(&data_dir, &listen);
    let broker = runtime
        .block_on(Broker::start(config, Environment::default()))
        .unwrap();
    println!("{READY}{}", broker.address());
    std::io::stdout().flush().unwrap();
    // Ends with the process that started it, whatever becomes of that.
    let _ = std::io::stdin().read(&mut [0]);
}
