//! kill -9 at any moment of a stream of transactions: what was read, what was written and what
//! was acknowledged agree.

use std::cell::Cell;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use headwater_wire::{Decoder, ErrorCode, Message, Request, ResponseHeader, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::node::{Node, TOPIC, Transport};

/// How often the process is killed.
const ROUNDS: u64 = 16;
/// Far less than the timeout of a transaction.
const AT_ONCE: Duration = Duration::from_secs(5);

/// The `serve` example as a process of its own.
struct Served {
    child: Child,
    address: SocketAddr,
}

impl Served {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(serve())
            .arg(dir)
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example is built with the tests");
        let stdout = child.stdout.take().expect("piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it says where it listens");
        let address = line.trim().rsplit(' ').next().unwrap_or_default();
        let address = address.parse().expect("an address");
        Self { child, address }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

fn serve() -> PathBuf {
    let mut path = std::env::current_exe().expect("this test");
    path.pop();
    path.pop();
    path.join("examples").join("serve")
}

/// A broker in another process, one request at a time.
struct OverTcp {
    connection: Mutex<(TcpStream, BytesMut)>,
    requests: Cell<i32>,
}

impl OverTcp {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address)
            .await
            .expect("the broker listens");
        stream.set_nodelay(true).expect("a socket takes the option");
        Self {
            connection: Mutex::new((stream, BytesMut::new())),
            requests: Cell::new(0),
        }
    }
}

impl Transport for OverTcp {
    async fn call<R: Request>(&self, version: i16, request: R) -> R::Response {
        let mut connection = self.connection.lock().await;
        let (stream, received) = &mut *connection;
        let correlation_id = self.requests.get() + 1;
        self.requests.set(correlation_id);
        let chunks = frame::encode_request(&request, version, correlation_id, Some("test"))
            .expect("the request can be encoded");
        stream
            .write_all(&chunks.concat())
            .await
            .expect("the broker reads");
        let bytes = loop {
            if let Some(frame) = frame::split(received, 1 << 28).expect("a frame") {
                break frame;
            }
            let read = stream.read_buf(received).await.expect("the broker answers");
            assert!(read > 0, "the broker closed the connection");
        };
        let mut input = Decoder::new(bytes);
        let header = ResponseHeader::decode(&mut input, R::KEY, version).expect("a header");
        assert_eq!(header.correlation_id, correlation_id);
        R::Response::decode(&mut input, version).expect("an answer that decodes")
    }
}

/// Appends the numbers from `next` on, each in a transaction with the offset behind it, and notes
/// which are acknowledged.
async fn count_up(node: &Node<OverTcp>, next: i64, acknowledged: &Cell<i64>) {
    let producer = node.init(600_000).await.expect("a producer");
    for (number, sequence) in (next..).zip(0..) {
        assert_eq!(node.add(producer, 0).await, ErrorCode::None);
        let value = number.to_string();
        assert_eq!(
            node.produce(producer, (0, sequence), &value).await,
            ErrorCode::None
        );
        assert_eq!(node.add_offsets(producer).await, ErrorCode::None);
        assert_eq!(
            node.txn_commit(producer, 0, number + 1).await,
            ErrorCode::None
        );
        assert_eq!(node.end(producer, true).await, ErrorCode::None);
        acknowledged.set(number + 1);
    }
}

/// The same in transactions of version 2 (KIP-890).
async fn count_up_v2(node: &Node<OverTcp>, next: i64, acknowledged: &Cell<i64>) {
    let mut producer = node.init(600_000).await.expect("a producer");
    for number in next.. {
        let value = number.to_string();
        let produced = node.produce_in(12, producer, (0, 0), &value).await;
        assert_eq!(produced, ErrorCode::None);
        let committed = node.txn_commit_in(5, producer, 0, number + 1).await;
        assert_eq!(committed, ErrorCode::None);
        producer = node.end_v2(producer, true).await.expect("committed");
        acknowledged.set(number + 1);
    }
}

#[tokio::test]
async fn transactions_are_whole_after_kill_9_at_any_moment() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let acknowledged = Cell::new(0);
    for round in 0..=ROUNDS {
        let served = Served::start(dir.path());
        let node = Node::reached_by(OverTcp::connect(served.address).await);
        if round == 0 {
            node.create_topic(TOPIC, &[]).await;
        }
        let start = Instant::now();
        node.init(600_000).await.expect("let in, whatever was open");
        let committed = node.committed(0).await.expect("nothing is pending").max(0);
        let visible = node.visible(0).await;
        assert!(start.elapsed() < AT_ONCE, "it took {:?}", start.elapsed());
        let expected: Vec<String> = (0..committed).map(|number| number.to_string()).collect();
        assert_eq!(
            visible, expected,
            "records and offsets are committed together"
        );
        let known = acknowledged.get();
        assert!(
            (known..=known + 1).contains(&committed),
            "{committed} are committed where {known} were acknowledged"
        );
        acknowledged.set(committed);
        // Somewhere in the first hundred milliseconds of work, another place each time.
        let moment = Duration::from_micros(2_000 + round * 7_919 % 97 * 1_000);
        let counting = async {
            if round % 2 == 0 {
                count_up(&node, committed, &acknowledged).await;
            } else {
                count_up_v2(&node, committed, &acknowledged).await;
            }
        };
        tokio::select! {
            () = counting => {}
            () = tokio::time::sleep(moment) => {}
        }
        drop(served);
    }
    assert!(acknowledged.get() > 0, "some transactions came through");
}
