"""Messages to whoever wants to be told: webhooks for new events, and for saved queries that reach a count.

::

    closed minutes ─▶ Notifier ─▶ Outbox (stored with the detections that it tells of) ─▶ WebhookSender ─▶ the receiver
                         ▲                                                                 signed, retried
    AlertWatch ──────────┘ a saved query has reached its count

A notification is stored in the same write as its cause, and leaves the outbox after its receiver has answered 2xx. So
it is sent at least once whatever is killed, and a repeat has the same key. A receiver that is dead costs a bounded
outbox and a request now and then; neither the feed nor another receiver waits for it.
"""
