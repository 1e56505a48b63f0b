"""Kafka's command-line tools under the names of its distribution, as suites call them."""

import os

from harness import java, jars, workplace

TOOLS = "org.apache.kafka.tools."
CLASSES = {
    "kafka-acls": TOOLS + "AclCommand",
    "kafka-broker-api-versions": TOOLS + "BrokerApiVersionsCommand",
    "kafka-cluster": TOOLS + "ClusterTool",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-console-consumer": TOOLS + "consumer.ConsoleConsumer",
    "kafka-console-producer": TOOLS + "ConsoleProducer",
    "kafka-consumer-groups": TOOLS + "consumer.group.ConsumerGroupCommand",
    "kafka-consumer-perf-test": TOOLS + "ConsumerPerformance",
    "kafka-delete-records": TOOLS + "DeleteRecordsCommand",
    "kafka-e2e-latency": TOOLS + "EndToEndLatency",
    "kafka-features": TOOLS + "FeatureCommand",
    "kafka-get-offsets": TOOLS + "GetOffsetShell",
    "kafka-groups": TOOLS + "GroupsCommand",
    "kafka-leader-election": TOOLS + "LeaderElectionCommand",
    "kafka-log-dirs": TOOLS + "LogDirsCommand",
    "kafka-metadata-quorum": TOOLS + "MetadataQuorumCommand",
    "kafka-producer-perf-test": TOOLS + "ProducerPerformance",
    "kafka-reassign-partitions": TOOLS + "reassign.ReassignPartitionsCommand",
    "kafka-topics": TOOLS + "TopicCommand",
    "kafka-transactions": TOOLS + "TransactionsCommand",
    "kafka-verifiable-consumer": TOOLS + "VerifiableConsumer",
    "kafka-verifiable-producer": TOOLS + "VerifiableProducer",
}


def make():
    """Writes the scripts and gives the folder that suites know as KAFKA_PATH."""
    folder = workplace("kafka", "bin")
    os.makedirs(folder, exist_ok=True)
    libs = workplace("kafka", "libs")
    if not os.path.islink(libs):
        os.symlink(jars(), libs)
    for name, class_name in [("kafka-run-class", None), *CLASSES.items()]:
        command = java(class_name or "$class", classpath="$CLASSPATH")
        text = "#!/bin/sh\n" + ("" if class_name else "class=$1; shift\n")
        text += "exec " + " ".join(f'"{word}"' for word in command) + ' "$@"\n'
        path = os.path.join(folder, name + ".sh")
        with open(path, "w") as out:
            out.write(text)
        os.chmod(path, 0o755)
    return os.path.dirname(folder)
