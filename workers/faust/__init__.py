"""The worker of many machines: Faust agents that read posts from Kafka, tag them and index them."""
