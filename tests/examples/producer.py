import asyncio, datetime, json, os, uuid, nats
async def checkout(customer, **data):
    connection = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"))
    event = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "till-9", "type": "merchant.checkout", "subject": customer, "time": datetime.datetime.now().astimezone().isoformat(), "data": data}
    print(await connection.jetstream().publish(f"scene.events.merchant.checkout.{customer}", json.dumps(event).encode()))
asyncio.run(checkout("C1", stage="started", amount="128.50", currency="CNY", tender="other_bank", merchant={"id": "M7", "category": "dining", "partner": True}))
