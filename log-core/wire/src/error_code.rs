use std::fmt;

/// Declares the codes once; the enum and its lookups follow from it.
macro_rules! error_codes {
    ($(
        $(#[$attribute:meta])*
        $name:ident = $code:literal, $kafka_name:literal, $kind:ident, $message:literal;
    )+) => {
        /// The error codes of Kafka 4.3, numbered and named as there.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(i16)]
        pub enum ErrorCode {
            $(
                #[doc = concat!($message, ".")]
                $(#[$attribute])*
                $name = $code,
            )+
        }

        impl ErrorCode {
            /// Every code, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The code with this number. Numbers unknown to Kafka 4.3 count as
            /// [`UnknownServerError`](Self::UnknownServerError).
            pub fn from_code(code: i16) -> Self {
                match code {
                    $($code => Self::$name,)+
                    _ => Self::UnknownServerError,
                }
            }

            /// The code's name as Kafka spells it, such as `NOT_LEADER_OR_FOLLOWER`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $kafka_name,)+
                }
            }

            /// What went wrong, in lower case, without a full stop.
            pub fn message(self) -> &'static str {
                match self {
                    $(Self::$name => $message,)+
                }
            }

            /// Whether the same request may succeed later, perhaps after a metadata refresh.
            pub fn is_retriable(self) -> bool {
                match self {
                    $(Self::$name => error_codes!(@is_retriable $kind),)+
                }
            }
        }
    };
    (@is_retriable retriable) => { true };
    (@is_retriable lasting) => { false };
}

error_codes! {
    UnknownServerError = -1, "UNKNOWN_SERVER_ERROR", lasting,
        "unexpected error on the server, see its log";
    #[default]
    None = 0, "NONE", lasting,
        "no error";
    OffsetOutOfRange = 1, "OFFSET_OUT_OF_RANGE", lasting,
        "offset lies outside what the partition holds";
    CorruptMessage = 2, "CORRUPT_MESSAGE", retriable,
        "record batch is corrupt: checksum, size, or a missing key in a compacted topic";
    UnknownTopicOrPartition = 3, "UNKNOWN_TOPIC_OR_PARTITION", retriable,
        "topic or partition does not exist here";
    InvalidFetchSize = 4, "INVALID_FETCH_SIZE", lasting,
        "fetch size is invalid";
    LeaderNotAvailable = 5, "LEADER_NOT_AVAILABLE", retriable,
        "partition has no leader at the moment";
    NotLeaderOrFollower = 6, "NOT_LEADER_OR_FOLLOWER", retriable,
        "broker is not the partition's leader, or no replica of it";
    RequestTimedOut = 7, "REQUEST_TIMED_OUT", retriable,
        "request timed out";
    BrokerNotAvailable = 8, "BROKER_NOT_AVAILABLE", lasting,
        "broker is not available";
    ReplicaNotAvailable = 9, "REPLICA_NOT_AVAILABLE", retriable,
        "replica is not available for the partition";
    MessageTooLarge = 10, "MESSAGE_TOO_LARGE", lasting,
        "record batch is larger than the topic's max.message.bytes";
    StaleControllerEpoch = 11, "STALE_CONTROLLER_EPOCH", lasting,
        "request carries an outdated controller epoch";
    OffsetMetadataTooLarge = 12, "OFFSET_METADATA_TOO_LARGE", lasting,
        "metadata of a committed offset is larger than offset.metadata.max.bytes";
    NetworkException = 13, "NETWORK_EXCEPTION", retriable,
        "connection was lost before the response came";
    CoordinatorLoadInProgress = 14, "COORDINATOR_LOAD_IN_PROGRESS", retriable,
        "coordinator is still loading its state";
    CoordinatorNotAvailable = 15, "COORDINATOR_NOT_AVAILABLE", retriable,
        "coordinator is not available";
    NotCoordinator = 16, "NOT_COORDINATOR", retriable,
        "broker is not the coordinator of this group or transactional id";
    InvalidTopicException = 17, "INVALID_TOPIC_EXCEPTION", lasting,
        "topic name is invalid, or the operation is not allowed on this topic";
    RecordListTooLarge = 18, "RECORD_LIST_TOO_LARGE", lasting,
        "record batch is larger than a log segment";
    NotEnoughReplicas = 19, "NOT_ENOUGH_REPLICAS", retriable,
        "fewer replicas are in sync than min.insync.replicas";
    NotEnoughReplicasAfterAppend = 20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", retriable,
        "record batch was appended, but fewer replicas are in sync than min.insync.replicas";
    InvalidRequiredAcks = 21, "INVALID_REQUIRED_ACKS", lasting,
        "acks is none of 0, 1 and -1";
    IllegalGeneration = 22, "ILLEGAL_GENERATION", lasting,
        "group generation is not the current one";
    InconsistentGroupProtocol = 23, "INCONSISTENT_GROUP_PROTOCOL", lasting,
        "member has no assignment protocol or type in common with the group";
    InvalidGroupId = 24, "INVALID_GROUP_ID", lasting,
        "group id is invalid";
    UnknownMemberId = 25, "UNKNOWN_MEMBER_ID", lasting,
        "member is not known to the group";
    InvalidSessionTimeout = 26, "INVALID_SESSION_TIMEOUT", lasting,
        "session timeout lies outside the range that the broker allows";
    RebalanceInProgress = 27, "REBALANCE_IN_PROGRESS", lasting,
        "group is rebalancing, join it again";
    InvalidCommitOffsetSize = 28, "INVALID_COMMIT_OFFSET_SIZE", lasting,
        "offset commit is too large";
    TopicAuthorizationFailed = 29, "TOPIC_AUTHORIZATION_FAILED", lasting,
        "not authorized for the topic";
    GroupAuthorizationFailed = 30, "GROUP_AUTHORIZATION_FAILED", lasting,
        "not authorized for the group";
    ClusterAuthorizationFailed = 31, "CLUSTER_AUTHORIZATION_FAILED", lasting,
        "not authorized for the cluster";
    InvalidTimestamp = 32, "INVALID_TIMESTAMP", lasting,
        "record timestamp lies outside what the topic accepts";
    UnsupportedSaslMechanism = 33, "UNSUPPORTED_SASL_MECHANISM", lasting,
        "SASL mechanism is not supported";
    IllegalSaslState = 34, "ILLEGAL_SASL_STATE", lasting,
        "request does not fit the state of SASL authentication";
    UnsupportedVersion = 35, "UNSUPPORTED_VERSION", lasting,
        "API version is not supported";
    TopicAlreadyExists = 36, "TOPIC_ALREADY_EXISTS", lasting,
        "topic exists already";
    InvalidPartitions = 37, "INVALID_PARTITIONS", lasting,
        "number of partitions is invalid";
    InvalidReplicationFactor = 38, "INVALID_REPLICATION_FACTOR", lasting,
        "replication factor is below 1 or above the number of brokers";
    InvalidReplicaAssignment = 39, "INVALID_REPLICA_ASSIGNMENT", lasting,
        "replica assignment is invalid";
    InvalidConfig = 40, "INVALID_CONFIG", lasting,
        "configuration is invalid";
    NotController = 41, "NOT_CONTROLLER", retriable,
        "broker is not the active controller";
    InvalidRequest = 42, "INVALID_REQUEST", lasting,
        "request is malformed or contradicts itself";
    UnsupportedForMessageFormat = 43, "UNSUPPORTED_FOR_MESSAGE_FORMAT", lasting,
        "record format does not support the request";
    PolicyViolation = 44, "POLICY_VIOLATION", lasting,
        "request violates a policy of the broker";
    OutOfOrderSequenceNumber = 45, "OUT_OF_ORDER_SEQUENCE_NUMBER", lasting,
        "producer sequence number leaves a gap";
    DuplicateSequenceNumber = 46, "DUPLICATE_SEQUENCE_NUMBER", lasting,
        "producer sequence number was seen before";
    InvalidProducerEpoch = 47, "INVALID_PRODUCER_EPOCH", lasting,
        "producer epoch is older than the current one";
    InvalidTxnState = 48, "INVALID_TXN_STATE", lasting,
        "transaction is in a state that does not allow the operation";
    InvalidProducerIdMapping = 49, "INVALID_PRODUCER_ID_MAPPING", lasting,
        "producer id does not belong to the transactional id";
    InvalidTransactionTimeout = 50, "INVALID_TRANSACTION_TIMEOUT", lasting,
        "transaction timeout is above the broker's transaction.max.timeout.ms";
    ConcurrentTransactions = 51, "CONCURRENT_TRANSACTIONS", retriable,
        "another operation on the same transaction is still under way";
    TransactionCoordinatorFenced = 52, "TRANSACTION_COORDINATOR_FENCED", lasting,
        "transaction coordinator is no longer the producer's coordinator";
    TransactionalIdAuthorizationFailed = 53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", lasting,
        "not authorized for the transactional id";
    SecurityDisabled = 54, "SECURITY_DISABLED", lasting,
        "security features are switched off";
    OperationNotAttempted = 55, "OPERATION_NOT_ATTEMPTED", lasting,
        "operation was not tried, because another one of the same request failed";
    KafkaStorageError = 56, "KAFKA_STORAGE_ERROR", retriable,
        "disk error on the broker's log";
    LogDirNotFound = 57, "LOG_DIR_NOT_FOUND", lasting,
        "log directory does not exist on the broker";
    SaslAuthenticationFailed = 58, "SASL_AUTHENTICATION_FAILED", lasting,
        "SASL authentication failed";
    UnknownProducerId = 59, "UNKNOWN_PRODUCER_ID", lasting,
        "broker holds no state of this producer id any more";
    ReassignmentInProgress = 60, "REASSIGNMENT_IN_PROGRESS", lasting,
        "partition is being reassigned";
    DelegationTokenAuthDisabled = 61, "DELEGATION_TOKEN_AUTH_DISABLED", lasting,
        "delegation tokens are switched off";
    DelegationTokenNotFound = 62, "DELEGATION_TOKEN_NOT_FOUND", lasting,
        "delegation token does not exist";
    DelegationTokenOwnerMismatch = 63, "DELEGATION_TOKEN_OWNER_MISMATCH", lasting,
        "principal is neither owner nor renewer of the delegation token";
    DelegationTokenRequestNotAllowed = 64, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", lasting,
        "delegation tokens cannot be requested over this kind of connection";
    DelegationTokenAuthorizationFailed = 65, "DELEGATION_TOKEN_AUTHORIZATION_FAILED", lasting,
        "not authorized for the delegation token";
    DelegationTokenExpired = 66, "DELEGATION_TOKEN_EXPIRED", lasting,
        "delegation token has expired";
    InvalidPrincipalType = 67, "INVALID_PRINCIPAL_TYPE", lasting,
        "principal type is not supported";
    NonEmptyGroup = 68, "NON_EMPTY_GROUP", lasting,
        "group still has members";
    GroupIdNotFound = 69, "GROUP_ID_NOT_FOUND", lasting,
        "group does not exist";
    FetchSessionIdNotFound = 70, "FETCH_SESSION_ID_NOT_FOUND", retriable,
        "fetch session does not exist";
    InvalidFetchSessionEpoch = 71, "INVALID_FETCH_SESSION_EPOCH", retriable,
        "fetch session epoch is not the expected one";
    ListenerNotFound = 72, "LISTENER_NOT_FOUND", retriable,
        "leader has no listener of the name that the request came in on";
    TopicDeletionDisabled = 73, "TOPIC_DELETION_DISABLED", lasting,
        "topic deletion is switched off";
    FencedLeaderEpoch = 74, "FENCED_LEADER_EPOCH", retriable,
        "leader epoch of the request is older than the broker's";
    UnknownLeaderEpoch = 75, "UNKNOWN_LEADER_EPOCH", retriable,
        "leader epoch of the request is newer than the broker's";
    UnsupportedCompressionType = 76, "UNSUPPORTED_COMPRESSION_TYPE", lasting,
        "client does not support the compression of the partition's records";
    StaleBrokerEpoch = 77, "STALE_BROKER_EPOCH", lasting,
        "broker epoch has changed";
    OffsetNotAvailable = 78, "OFFSET_NOT_AVAILABLE", retriable,
        "new leader does not know its high watermark yet";
    MemberIdRequired = 79, "MEMBER_ID_REQUIRED", lasting,
        "join again with the member id of this response";
    PreferredLeaderNotAvailable = 80, "PREFERRED_LEADER_NOT_AVAILABLE", retriable,
        "preferred leader is not available";
    GroupMaxSizeReached = 81, "GROUP_MAX_SIZE_REACHED", lasting,
        "group has reached its maximum size";
    FencedInstanceId = 82, "FENCED_INSTANCE_ID", lasting,
        "another member with the same group.instance.id has taken over";
    EligibleLeadersNotAvailable = 83, "ELIGIBLE_LEADERS_NOT_AVAILABLE", retriable,
        "no eligible leader is available";
    ElectionNotNeeded = 84, "ELECTION_NOT_NEEDED", retriable,
        "partition needs no leader election";
    NoReassignmentInProgress = 85, "NO_REASSIGNMENT_IN_PROGRESS", lasting,
        "no reassignment of the partition is under way";
    GroupSubscribedToTopic = 86, "GROUP_SUBSCRIBED_TO_TOPIC", lasting,
        "group is subscribed to the topic whose offsets are to be deleted";
    InvalidRecord = 87, "INVALID_RECORD", lasting,
        "record was refused by the broker's validation";
    UnstableOffsetCommit = 88, "UNSTABLE_OFFSET_COMMIT", retriable,
        "offsets of a pending transaction are not settled yet";
    ThrottlingQuotaExceeded = 89, "THROTTLING_QUOTA_EXCEEDED", retriable,
        "quota is exceeded";
    ProducerFenced = 90, "PRODUCER_FENCED", lasting,
        "newer producer with the same transactional id has taken over";
    ResourceNotFound = 91, "RESOURCE_NOT_FOUND", lasting,
        "resource does not exist";
    DuplicateResource = 92, "DUPLICATE_RESOURCE", lasting,
        "resource is named twice in the request";
    UnacceptableCredential = 93, "UNACCEPTABLE_CREDENTIAL", lasting,
        "credential does not meet the requirements";
    InconsistentVoterSet = 94, "INCONSISTENT_VOTER_SET", lasting,
        "sender or recipient is not one of the expected voters";
    InvalidUpdateVersion = 95, "INVALID_UPDATE_VERSION", lasting,
        "feature update names an invalid version";
    FeatureUpdateFailed = 96, "FEATURE_UPDATE_FAILED", lasting,
        "features could not be updated";
    PrincipalDeserializationFailure = 97, "PRINCIPAL_DESERIALIZATION_FAILURE", lasting,
        "principal of a forwarded request cannot be read";
    SnapshotNotFound = 98, "SNAPSHOT_NOT_FOUND", lasting,
        "snapshot does not exist";
    PositionOutOfRange = 99, "POSITION_OUT_OF_RANGE", lasting,
        "position lies outside the snapshot";
    UnknownTopicId = 100, "UNKNOWN_TOPIC_ID", retriable,
        "topic id is not known here";
    DuplicateBrokerRegistration = 101, "DUPLICATE_BROKER_REGISTRATION", lasting,
        "broker id is in use already";
    BrokerIdNotRegistered = 102, "BROKER_ID_NOT_REGISTERED", lasting,
        "broker id is not registered";
    InconsistentTopicId = 103, "INCONSISTENT_TOPIC_ID", retriable,
        "topic id of the request is not the log's";
    InconsistentClusterId = 104, "INCONSISTENT_CLUSTER_ID", lasting,
        "cluster id of the request is not this cluster's";
    TransactionalIdNotFound = 105, "TRANSACTIONAL_ID_NOT_FOUND", lasting,
        "transactional id does not exist";
    FetchSessionTopicIdError = 106, "FETCH_SESSION_TOPIC_ID_ERROR", retriable,
        "fetch session mixes topic names and topic ids";
    IneligibleReplica = 107, "INELIGIBLE_REPLICA", lasting,
        "new in-sync set contains a replica that may not be in it";
    NewLeaderElected = 108, "NEW_LEADER_ELECTED", lasting,
        "partition was altered, but its leader changed with it";
    OffsetMovedToTieredStorage = 109, "OFFSET_MOVED_TO_TIERED_STORAGE", lasting,
        "offset has moved to tiered storage";
    FencedMemberEpoch = 110, "FENCED_MEMBER_EPOCH", lasting,
        "member epoch is fenced, give up all partitions and join again";
    UnreleasedInstanceId = 111, "UNRELEASED_INSTANCE_ID", lasting,
        "instance id is still in use by another member of the group";
    UnsupportedAssignor = 112, "UNSUPPORTED_ASSIGNOR", lasting,
        "group does not support this assignor";
    StaleMemberEpoch = 113, "STALE_MEMBER_EPOCH", lasting,
        "member epoch is outdated, retry with the current one";
    MismatchedEndpointType = 114, "MISMATCHED_ENDPOINT_TYPE", lasting,
        "request was sent to the wrong kind of endpoint";
    UnsupportedEndpointType = 115, "UNSUPPORTED_ENDPOINT_TYPE", lasting,
        "this kind of endpoint is not supported";
    UnknownControllerId = 116, "UNKNOWN_CONTROLLER_ID", lasting,
        "controller id is not known";
    UnknownSubscriptionId = 117, "UNKNOWN_SUBSCRIPTION_ID", lasting,
        "telemetry subscription id is unknown or outdated";
    TelemetryTooLarge = 118, "TELEMETRY_TOO_LARGE", lasting,
        "telemetry is larger than the broker accepts";
    InvalidRegistration = 119, "INVALID_REGISTRATION", lasting,
        "broker registration is invalid";
    TransactionAbortable = 120, "TRANSACTION_ABORTABLE", lasting,
        "transaction failed, abort it to go on with this transactional id";
    InvalidRecordState = 121, "INVALID_RECORD_STATE", lasting,
        "record is in a state that does not allow the acknowledgement";
    ShareSessionNotFound = 122, "SHARE_SESSION_NOT_FOUND", retriable,
        "share session does not exist";
    InvalidShareSessionEpoch = 123, "INVALID_SHARE_SESSION_EPOCH", retriable,
        "share session epoch is not the expected one";
    FencedStateEpoch = 124, "FENCED_STATE_EPOCH", lasting,
        "share group state epoch does not match";
    InvalidVoterKey = 125, "INVALID_VOTER_KEY", lasting,
        "voter key is not the receiving replica's";
    DuplicateVoter = 126, "DUPLICATE_VOTER", lasting,
        "voter is in the set already";
    VoterNotFound = 127, "VOTER_NOT_FOUND", lasting,
        "voter is not in the set";
    InvalidRegularExpression = 128, "INVALID_REGULAR_EXPRESSION", lasting,
        "regular expression is invalid";
    RebootstrapRequired = 129, "REBOOTSTRAP_REQUIRED", lasting,
        "metadata is outdated, bootstrap again";
    StreamsInvalidTopology = 130, "STREAMS_INVALID_TOPOLOGY", lasting,
        "topology is invalid";
    StreamsInvalidTopologyEpoch = 131, "STREAMS_INVALID_TOPOLOGY_EPOCH", lasting,
        "topology epoch is invalid";
    StreamsTopologyFenced = 132, "STREAMS_TOPOLOGY_FENCED", lasting,
        "topology epoch is outdated";
    ShareSessionLimitReached = 133, "SHARE_SESSION_LIMIT_REACHED", retriable,
        "number of share sessions has reached its limit";
}

impl ErrorCode {
    /// The code's number on the wire.
    pub fn code(self) -> i16 {
        self as i16
    }

    /// Whether this is [`None`](Self::None).
    pub fn is_ok(self) -> bool {
        self == Self::None
    }

    /// `Ok` for [`None`](Self::None), else the code as an error.
    ///
    /// # Errors
    /// Every code but [`None`](Self::None).
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_ok() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message(), self.name())
    }
}

impl std::error::Error for ErrorCode {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back_to_their_codes() {
        assert_eq!(ErrorCode::ALL.len(), 135);
        for &error in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_code(error.code()), error);
        }
        assert_eq!(ErrorCode::from_code(9_999), ErrorCode::UnknownServerError);
    }

    #[test]
    fn codes_say_what_they_are() {
        let error = ErrorCode::from_code(6);
        assert_eq!(error, ErrorCode::NotLeaderOrFollower);
        assert_eq!(error.name(), "NOT_LEADER_OR_FOLLOWER");
        assert!(error.is_retriable());
        assert!(!ErrorCode::ProducerFenced.is_retriable());
        assert_eq!(ErrorCode::default().into_result(), Ok(()));
        assert_eq!(error.into_result(), Err(error));
        assert!(error.to_string().ends_with("(NOT_LEADER_OR_FOLLOWER)"));
    }
}
