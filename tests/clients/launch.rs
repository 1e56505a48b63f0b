//! How long a newcomer waits from launch to the first topic. Measured, not asserted.

use std::time::Instant;

use tempfile::TempDir;

use crate::server_process::ServerProcess;
use crate::support::{create_topic, unique};

#[test]
fn launch_to_first_topic() {
    let data_dir = TempDir::new().unwrap();
    for kind in ["empty", "known"] {
        let launched = Instant::now();
        let server = ServerProcess::start(data_dir.path(), "127.0.0.1:0");
        let serving = launched.elapsed();
        create_topic(server.address(), &unique("first"), 1, &[]);
        let created = launched.elapsed();
        println!("{kind} directory: serving after {serving:?}, first topic after {created:?}");
    }
}
