nats request scene.events.merchant.checkout.C1 "$(cat <<EVENT
{"specversion":"1.0","id":"$(uuidgen)","source":"till-9","type":"merchant.checkout","subject":"C1","time":"$(date -u +%Y-%m-%dT%H:%M:%SZ)",
 "data":{"stage":"started","amount":"128.50","currency":"CNY","tender":"other_bank","merchant":{"id":"M7","category":"dining","partner":true}}}
EVENT
)"
