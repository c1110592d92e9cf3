"""The parts of Kafka that ingest and the workers share: clients, topics, dead letters."""
