import { connect } from "@nats-io/transport-node";
import { jetstream } from "@nats-io/jetstream";
const nats = await connect({ servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222" });
const data = { stage: "started", amount: "128.50", currency: "CNY", tender: "other_bank", merchant: { id: "M7", category: "dining", partner: true } };
const event = { specversion: "1.0", id: crypto.randomUUID(), source: "till-9", type: "merchant.checkout", subject: "C1", time: new Date().toISOString(), data };
console.log(await jetstream(nats).publish("scene.events.merchant.checkout.C1", JSON.stringify(event)).finally(() => nats.close()));
