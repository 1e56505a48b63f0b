//! Bytes that Apache Kafka 4.3.1 wrote, read and written again.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests count as outside tests"
)]

use bytes::Bytes;
use headwater_wire::internal::consumer_offsets::*;
use headwater_wire::internal::transaction_state::*;
use headwater_wire::messages::describe_log_dirs::*;
use headwater_wire::messages::list_offsets::*;
use headwater_wire::messages::offset_commit::*;
use headwater_wire::messages::offset_fetch::*;
use headwater_wire::messages::write_txn_markers::*;
use headwater_wire::records::*;
use headwater_wire::{Decoder, Encoder, Message};

fn unhex(hex: &str) -> Bytes {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

/// Three records at offsets 42 to 44: tombstone in the middle, no key at the end, headers twice.
const BATCHES: [&str; 5] = [
    "000000000000002a00000095000000050248195c1e0000000000020000013bf58da9000000013d918a690000\
     000000000003e9000200000011000000034c000000046b302e76616c75652076616c75652076616c75652076\
     616c7565040268010268027826008080f3df1902046b3101040268010268027850008080e6bf3304012e7661\
     6c75652076616c75652076616c75652076616c75650402680102680278",
    "000000000000002a0000007500000005026a26b20e0001000000020000013bf58da9000000013d918a690000\
     000000000003e9000200000011000000031f8b08000000000000fff361606060c936d02b4bcc294d55c02059\
     9832189932982ad4181a1a3edf976462c9366484890500c59eed37666124a41900961ae75264000000",
    "000000000000002a0000007c0000000502e7fd042b0002000000020000013bf58da9000000013d918a690000\
     000000000003e90002000000110000000382534e415050590000000001000000010000003764344c00000004\
     6b302e76616c7565204206004c040268010268027826008080f3df1902046b310111142050008080e6bf3304\
     017e3d00",
    "000000000000002a0000007c000000050279875f800003000000020000013bf58da9000000013d918a690000\
     000000000003e90002000000110000000304224d186040823c000000ed4c000000046b302e76616c75652006\
     00f405040268010268027826008080f3df1902046b310114009f50008080e6bf3304013d0008500102680278\
     00000000",
    "000000000000002a0000007400000005029a4f5f9c0004000000020000013bf58da9000000013d918a690000\
     000000000003e90002000000110000000328b52ffd0058bc0100b4024c000000046b302e76616c7565200402\
     68010268027826008080f3df1902046b310150008080e6bf330401030040c0c7cd97c95c94010000",
];

const COMMIT_MARKER: &str = "0000000000000009000000420000000502947bbb270030000000000000013bf58da9000000013bf58da90000\
     000000000003e90002ffffffff000000012000000008000000010c00000000000700";

#[test]
fn batches_of_every_codec_are_read() {
    for (hex, codec) in BATCHES.into_iter().zip(Compression::ALL) {
        let whole = unhex(hex);
        let batch = RecordBatch::split_from(&mut whole.clone())
            .unwrap()
            .unwrap();
        batch.verify_crc().unwrap();
        let header = batch.header;
        assert_eq!(header.compression(), Ok(codec));
        assert_eq!((header.base_offset, header.next_offset()), (42, 45));
        assert_eq!((header.producer_id, header.producer_epoch), (1001, 2));
        assert_eq!((header.base_sequence, header.last_sequence()), (17, 19));
        assert_eq!((header.record_count, header.partition_leader_epoch), (3, 5));

        let records = batch.records().unwrap();
        let records: Vec<_> = records.iter().map(Result::unwrap).collect();
        let keys: Vec<_> = records.iter().map(|record| record.key).collect();
        assert_eq!(keys, [Some(&b"k0"[..]), Some(b"k1"), None]);
        let value = Some(&b"value value value value"[..]);
        let values: Vec<_> = records.iter().map(|record| record.value).collect();
        assert_eq!(values, [value, None, value]);
        // 40 days apart: more than 32 bits of milliseconds can tell.
        let day = 86_400_000;
        for (record, nth) in records.iter().zip(0..) {
            assert_eq!(record.offset, 42 + nth);
            assert_eq!(record.timestamp, 1_357_034_400_000 + nth * 40 * day);
            let headers: Vec<_> = record.headers.iter().map(Result::unwrap).collect();
            let expected = [
                HeaderRef {
                    key: "h",
                    value: None,
                },
                HeaderRef {
                    key: "h",
                    value: Some(b"x"),
                },
            ];
            assert_eq!(headers, expected);
        }
    }
}

#[test]
fn the_same_records_become_the_same_batch() {
    let mut builder = BatchBuilder::new(BatchOptions {
        base_offset: 42,
        partition_leader_epoch: 5,
        producer_id: 1001,
        producer_epoch: 2,
        base_sequence: 17,
        ..Default::default()
    });
    let headers = [
        Header {
            key: "h",
            value: None,
        },
        Header {
            key: "h",
            value: Some(b"x"),
        },
    ];
    let value = Some(&b"value value value value"[..]);
    let day = 86_400_000;
    builder
        .append(1_357_034_400_000, Some(b"k0"), value, &headers)
        .unwrap();
    builder
        .append(1_357_034_400_000 + 40 * day, Some(b"k1"), None, &headers)
        .unwrap();
    builder
        .append(1_357_034_400_000 + 80 * day, None, value, &headers)
        .unwrap();
    assert_eq!(builder.build().unwrap(), unhex(BATCHES[0]));

    let marker = ControlMarker {
        result: TransactionResult::Commit,
        coordinator_epoch: 7,
    };
    let mut batch = control_batch(marker, 1001, 2, 1_357_034_400_000)
        .unwrap()
        .to_vec();
    patch_assigned(&mut batch, 9, 5).unwrap();
    assert_eq!(batch, unhex(COMMIT_MARKER));
}

fn again<M: Message>(version: i16, frames: [&str; 2]) {
    for frame in frames {
        let bytes = unhex(frame);
        let mut input = Decoder::new(bytes.clone());
        let message = M::decode(&mut input, version).unwrap();
        assert_eq!(input.remaining(), 0);
        let mut out = Encoder::new();
        message.encode(&mut out, version).unwrap();
        assert_eq!(out.into_bytes(), bytes, "{} {version}", M::NAME);
    }
}

#[test]
fn messages_newer_than_the_oracle_come_back_unchanged() {
    again::<ListOffsetsRequest>(
        11,
        [
            "f63d542f01020c61c39fe6b0b4f09f9c817a038d57a88182150ef5f639acb4c537d60800911e6f6900000002\
             000000000000000400006823cbcf00",
            "0000000274041761c39fe6b0b4f09f9c817a61c39fe6b0b4f09f9c817a02ffffffffdff2fc1a000000000000\
             000300000b61c39fe6b0b4f09f9c810222a0e4ebd56d7e102f0fff820630bc5800000c61c39fe6b0b4f09f9c\
             817a010095165d8900",
        ],
    );
    again::<ListOffsetsResponse>(
        11,
        [
            "00000002021761c39fe6b0b4f09f9c817a61c39fe6b0b4f09f9c817a02ffffffff0002000000000000000086\
             6d3a94102b6032b0589607000000",
            "00000002031761c39fe6b0b4f09f9c817a61c39fe6b0b4f09f9c817a03ead09133ffff61dd4d00dff2fc1a00\
             00000000000003fc9d862600000000030002668213a222a0e4ebe7f5b1e6d56d7e100630bc5800000c61c39f\
             e6b0b4f09f9c817a010000",
        ],
    );
    again::<DescribeLogDirsRequest>(
        5,
        [
            "0000",
            "020b61c39fe6b0b4f09f9c81040000000000000007ffffffff0000",
        ],
    );
    again::<DescribeLogDirsResponse>(
        5,
        [
            "0000000900000300000d2f7661722f6c6f672f6f6e6502076f7264657273030000000300000100000000000\
             0000000000000110100000000040000010000000000000000000000001100000000001000000000000000080\
             000000000010000380d2f7661722f6c6f672f74776f01ffffffffffffffffffffffffffffffff000000",
            "00000000001f0100",
        ],
    );
    again::<OffsetCommitRequest>(
        10,
        [
            "0b61c39fe6b0b4f09f9c813ac55a4902610761c39fe6b0b4027feeffb84333842897bc95ecdfb8197902d31b\
             5d7900000000000000034f38b95c00000000",
            "0461c39f000000041261c39fe6b0b4f09f9c817a61c39fe6b0b40461c39f036d2db6b3f816adc14e0116fdc8\
             324da802b5236e674d82e81ae735cd04000000020b61c39fe6b0b4f09f9c810000f6938206cf29a730fe4478\
             4263c4a75a010000",
        ],
    );
    again::<OffsetFetchRequest>(
        10,
        [
            "021861c39fe6b0b4f09f9c817a61c39fe6b0b4f09f9c817a61007883b1a2037d8fc4924fec3afa381c6466d0\
             d47fb10300000004e02bbdc300f07d278237bb182b9a9b0cdca31afaea0100000100",
            "031261c39fe6b0b4f09f9c817a61c39fe6b0b40461c39f6ca407840232a0afb3ca89646d0dc4d2631fd0ac7f\
             03e735cd040000000200000b61c39fe6b0b4f09f9c811261c39fe6b0b4f09f9c817a61c39fe6b0b4fe447842\
             00000100",
        ],
    );
    again::<WriteTxnMarkersRequest>(
        2,
        [
            "0200000000000000030004000301033ca3339900000000001661c39fe6b0b4f09f9c817a61c39fe6b0b4f09f\
             9c810273116da30000000000760000",
            "04eb8d2c02bd70089f00000101000000008300000000000000000198a501020761c39fe6b0b4040000000200\
             0000000000000400ffffffff990085970ab4eb6ad6d53ac50102010400000004ffffffff7227beb400000000\
             02ef0000",
        ],
    );
    again::<WriteTxnMarkersResponse>(
        2,
        [
            "02e9cadfda9ed52a3c030761c39fe6b0b402a053b1c81f3800000d61c39fe6b0b4f09f9c817a6103c6f68208\
             00010000000004000200000000",
            "02f4e3cec00ecbb336040761c39fe6b0b40300000004921900c735fcd5d3e300000f61c39fe6b0b4f09f9c81\
             7a61c39f04d3d14296095300ffffffff760c00ea539ebb0004000001040000000234790000000000ffff00af\
             88624e7ce200000000",
        ],
    );
}

#[test]
fn records_of_internal_topics_come_back_unchanged() {
    again::<OffsetCommitValue>(
        4,
        [
            "0000000000000003617700811261c39fe6b0b4f09f9c817a61c39fe6b0b40000000000000002010010eb9de7\
             c7656fc4b73a7490237eb906e2",
            "529f17cc4426acbaf2a46c011861c39fe6b0b4f09f9c817a61c39fe6b0b4f09f9c817a610000000000000004\
             0100104e310115548c17d2678ca2ae4e55ac83",
        ],
    );
    again::<GroupMetadataValue>(
        3,
        [
            "000a61c39fe6b0b4f09f9c813ac55a49001761c39fe6b0b4f09f9c817a61c39fe6b0b4f09f9c817a61000161\
             bbe6cf582fc62f0100000000",
            "00016135dd4216001661c39fe6b0b4f09f9c817a61c39fe6b0b4f09f9c817affff0000000000000000000000\
             010000ffff000661c39fe6b0b4000c61c39fe6b0b4f09f9c817a61fc220e7800000004000000020001000000\
             0100",
        ],
    );
    again::<GroupMetadataValue>(
        4,
        [
            "1861c39fe6b0b4f09f9c817a61c39fe6b0b4f09f9c817a61e37648980761c39fe6b0b40b61c39fe6b0b4f09f\
             9c8100000000000000000100",
            "0d61c39fe6b0b4f09f9c817a61ffffffff0d61c39fe6b0b4f09f9c817a61000000000000000000021761c39f\
             e6b0b4f09f9c817a61c39fe6b0b4f09f9c817a000461c39f0261000000030000000209000102030405060708\
             000102030405060000",
        ],
    );
    again::<TransactionLogValue>(
        0,
        [
            "f3c606d4533e00f75a49ffffffff0400000001001161c39fe6b0b4f09f9c817a61c39fe6b0b4000000010000\
             000154533efada44d74be40681d2d31b5d79",
            "00000000000000020001473364bebf00000003000e61c39fe6b0b4f09f9c817a61c39f00000003102b6032b0\
             58960794ca71a1000000000003e3228ad1ffffffffd97e6765000000000002000000000000000178bd084cd5\
             1ba7c781445364ba758164",
        ],
    );
    again::<TransactionLogValue>(
        1,
        [
            "38d4ff44eeca0d16000000000000ff013bbfd0fa223a118f000000000000000003000858611a04e41b661e01\
             0800000000000000020302ffe5",
            "efe2d32c3d836a4cffff000000043f030c61c39fe6b0b4f09f9c817a04da990ca00000000200000002001761\
             c39fe6b0b4f09f9c817a61c39fe6b0b4f09f9c817a020c8286c40044022b0ceb445302ffffffffffffffff01\
             01089da44f5cadaca6c4",
        ],
    );
}
