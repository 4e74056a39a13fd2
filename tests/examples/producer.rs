async fn checkout(url: &str, id: &str, customer: &str, data: serde_json::Value) -> Result<u64, async_nats::Error> {
    let jetstream = async_nats::jetstream::new(async_nats::connect(url).await?);
    let time = jiff::Timestamp::now().to_string();
    let event = serde_json::json!({ "specversion": "1.0", "id": id, "source": "till-9", "type": "merchant.checkout", "subject": customer, "time": time, "data": data });
    Ok(jetstream.publish(format!("scene.events.merchant.checkout.{customer}"), event.to_string().into()).await?.await?.sequence)
}
