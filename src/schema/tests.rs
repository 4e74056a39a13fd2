use super::{Deployment, action, asyncapi, events};
use crate::action::{Body, Decision, Next, Trigger, Verdict, decision_id};
use crate::decode::{Decoder, Reason};
use crate::event::{Schema, Stored, Value as EventValue};
use crate::nats::log_write::{HEADER_ID, HEADER_KIND, HEADER_OWNER};
use crate::partitioning::{CustomerId, bucket_of, partition_of};
use crate::state::{Wait, Window};
use serde_json::{Value, json};

/// 2026-11-22T02:00:00Z
const TIME: i64 = 1_795_312_800_000;

fn declared() -> Schema {
    Schema::parse(
        "[attributes]\ntier = \"text\"\nage = \"number\"\n[events.\"bill.due\"]\namount = { type = \"money\", keep = true }\ndue = { type = \"time\", required = true }\nkinds = \"list\"\n",
    )
    .unwrap()
}

fn decision(expires: bool) -> Decision {
    let customer = CustomerId::new("C 1").unwrap();
    let text = |text: &str| EventValue::Text(text.into());
    Decision {
        id: decision_id(&customer, "till", "1", "a/b", 0),
        customer,
        rule: "a/b".into(),
        generation: "0123456789abcdef".into(),
        channel: "push".into(),
        variant: "default".into(),
        step: 0,
        verdict: Verdict::Sent,
        control: true,
        scene: Some("a scene".into()),
        household: Some("H 1".into()),
        fallback_of: Some(decision_id(
            &CustomerId::new("C 1").unwrap(),
            "till",
            "2",
            "a/b",
            0,
        )),
        channels_left: vec!["sms".into(), "im".into()],
        trigger: Trigger {
            id: "1".into(),
            source: "till".into(),
            kind: "merchant.checkout".into(),
            time: TIME,
            sequence: 7,
        },
        body: Body {
            kind: "offer".into(),
            code: Some("DINE".into()),
            value: None,
            cost: None,
            expires: expires.then(|| Window::parse("10m").unwrap()),
            fields: EventValue::Record(vec![
                ("code".into(), text("DINE")),
                ("expires".into(), text("10m")),
            ]),
        },
        decided_at: TIME,
        policy_time: TIME,
        traceparent: expires
            .then(|| "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        entry: decision_id(&CustomerId::new("C 1").unwrap(), "till", "0", "a/b", 0),
        next: Some(Next {
            step: 1,
            due: TIME,
            wait: Wait::Step,
        }),
        account: Some("M7".into()),
        time: TIME + 1,
        after: 8,
        part: Some((0, 1)),
    }
}

/// Every key of `value` is declared, every required one is there, and constants and words are as declared.
fn assert_declared(schema: &Value, value: &Value, path: &str) {
    if let Some(wanted) = schema.get("const") {
        assert_eq!(value, wanted, "{path}");
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        assert!(
            words.contains(value),
            "{path}: {value} is not one of {words:?}"
        );
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        assert!(
            value.get(name).is_some(),
            "{path}.{name} is required and not there"
        );
    }
    let Some(members) = value.as_object() else {
        return;
    };
    for (name, member) in members {
        let declared = &schema["properties"][name];
        assert!(declared.is_object(), "{path}.{name} is not declared");
        assert_declared(declared, member, &format!("{path}.{name}"));
    }
}

#[test]
fn every_field_of_an_action_is_declared_and_every_required_one_is_written() {
    let schema = action();
    for decision in [
        decision(true),
        decision(false),
        Decision {
            verdict: Verdict::Holdout,
            ..decision(true)
        },
    ] {
        let written: Value = serde_json::from_slice(&decision.to_cloudevent()).unwrap();
        assert_declared(&schema, &written, "action");
    }
    // With everything an action can have, nothing that is declared is missing.
    let full: Value = serde_json::from_slice(&decision(true).to_cloudevent()).unwrap();
    for (declared, of) in [
        (&schema, &full),
        (&schema["properties"]["data"], &full["data"]),
    ] {
        let names: Vec<&String> = declared["properties"].as_object().unwrap().keys().collect();
        let written: Vec<&String> = of.as_object().unwrap().keys().collect();
        assert_eq!(names, written);
    }
}

#[test]
fn every_header_of_an_action_is_declared() {
    let mut written: Vec<String> = [HEADER_OWNER, HEADER_ID, HEADER_KIND]
        .map(str::to_owned)
        .into();
    written.extend(
        decision(true)
            .headers()
            .into_iter()
            .map(|(name, _)| name.to_owned()),
    );
    let mut declared: Vec<String> = super::action::headers()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    written.sort();
    declared.sort();
    assert_eq!(declared, written);
}

/// A value that a schema accepts, with its required members alone.
fn example(root: &Value, schema: &Value) -> Value {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap();
        return example(root, target);
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words[0].clone();
    }
    if schema.get("anyOf").is_some() {
        return json!("128.50");
    }
    match schema["type"].as_str().unwrap_or_default() {
        "object" => {
            let required = schema["required"].as_array().into_iter().flatten();
            let members = required.map(|name| {
                let name = name.as_str().unwrap();
                (name.to_owned(), example(root, &schema["properties"][name]))
            });
            Value::Object(members.collect())
        }
        "string" if schema["format"] == "date-time" => json!("2026-11-22T10:00:00.123+08:00"),
        "string" if schema.get("pattern").is_some() => json!("app.login"),
        "string" => json!("CNY"),
        "number" => json!(7),
        "boolean" => json!(true),
        other => panic!("no example of {other}: {schema}"),
    }
}

fn decode(event: &Value, declared: &Schema) -> Result<(), Reason> {
    let (token, decoder) = ("CNY", Decoder::default());
    let stored = Stored {
        sequence: 1,
        stored_at: TIME,
        subject: format!(
            "scene.in.{}.{}.{}",
            partition_of(token, decoder.partitions),
            bucket_of(token),
            event["type"].as_str().unwrap_or("a.b")
        ),
        headers: Vec::new(),
        payload: serde_json::to_vec(event).unwrap().into(),
    };
    let decoded = decoder.decode(&stored, declared);
    decoded.map(|_| ()).map_err(|rejection| rejection.reason)
}

/// Takes away each required member in turn, at every depth, and hands over what is left.
fn without_each_required(schema: &Value, value: &Value, each: &mut dyn FnMut(&str, Value)) {
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        let mut less = value.clone();
        less.as_object_mut().unwrap().remove(name);
        each(name, less);
        without_each_required(
            &schema["properties"][name],
            &value[name],
            &mut |path, inner| {
                let mut less = value.clone();
                less[name] = inner;
                each(path, less);
            },
        );
    }
}

#[test]
fn the_least_event_of_each_type_is_decoded_and_less_is_refused() {
    let declared = declared();
    let schema = events(&declared);
    let types = schema["$defs"].as_object().unwrap();
    let mut tried = 0;
    for one in schema["oneOf"].as_array().unwrap() {
        let name = one["$ref"].as_str().unwrap().trim_start_matches("#/$defs/");
        let least = example(&schema, one);
        assert_eq!(decode(&least, &declared), Ok(()), "{name}: {least}");
        without_each_required(&types[name], &least, &mut |missing, less| {
            let wanted = match missing {
                "specversion" => Reason::NotCloudevent,
                _ => Reason::MissingField,
            };
            assert_eq!(
                decode(&less, &declared),
                Err(wanted),
                "{name} without {missing}: {less}"
            );
            tried += 1;
        });
    }
    assert!(tried > 70, "only {tried} tried");
}

#[test]
fn words_are_those_that_decoding_takes() {
    let declared = declared();
    let schema = events(&declared);
    let checkout = &schema["$defs"]["merchant.checkout"];
    let mut event = example(&schema, checkout);
    for word in checkout["properties"]["data"]["properties"]["stage"]["enum"]
        .as_array()
        .unwrap()
    {
        event["data"]["stage"] = word.clone();
        assert_eq!(decode(&event, &declared), Ok(()), "{word}");
    }
    event["data"]["stage"] = json!("begun");
    assert_eq!(decode(&event, &declared), Err(Reason::InvalidValue));
    // An optional field may be null, as its schema says.
    event["data"]["stage"] = json!("paid");
    event["data"]["tender"] = Value::Null;
    assert_eq!(
        checkout["properties"]["data"]["properties"]["tender"]["type"],
        json!(["string", "null"])
    );
    assert_eq!(decode(&event, &declared), Ok(()));
}

#[test]
fn declared_types_and_attributes_are_in_the_schema() {
    let schema = events(&declared());
    let bill = &schema["$defs"]["bill.due"]["properties"]["data"];
    assert_eq!(bill["required"], json!(["due"]));
    assert_eq!(
        bill["properties"]["kinds"]["type"],
        json!(["array", "null"])
    );
    let profile = &schema["$defs"]["customer.profile"]["properties"]["data"]["properties"];
    assert_eq!(
        profile["attributes"]["properties"]["age"]["type"],
        json!(["number", "null"])
    );
    assert!(
        schema["$defs"]["merchant.checkout"]["properties"]["data"]["properties"]["original_amount"]
            .is_null()
    );
}

fn assert_references_resolve(root: &Value, value: &Value) {
    match value {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                let target = root.pointer(reference.trim_start_matches('#'));
                assert!(target.is_some(), "{reference} leads nowhere");
            }
            members
                .values()
                .for_each(|member| assert_references_resolve(root, member));
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| assert_references_resolve(root, item)),
        _ => {}
    }
}

#[test]
fn the_asyncapi_document_names_every_type_and_every_reason() {
    let declared = declared();
    let deployment = Deployment {
        host: "127.0.0.1:4222".to_owned(),
        partitions: 16,
    };
    let document = asyncapi(&declared, &deployment);
    assert_references_resolve(&document, &document);
    assert_references_resolve(&events(&declared), &events(&declared));
    for declared in declared.event_types() {
        let channel = &document["channels"][format!("events.{}", declared.name)];
        let address = format!("scene.events.{}.{{customer}}", declared.name);
        assert_eq!(channel["address"], json!(address));
        let name = format!("receive.events.{}", declared.name);
        assert_eq!(document["operations"][name]["action"], json!("receive"));
    }
    let reasons = &document["channels"]["dlq"]["parameters"]["reason"]["enum"];
    assert_eq!(reasons, &json!(Reason::ALL.map(Reason::word)));
    for (name, channel) in document["channels"].as_object().unwrap() {
        let address = channel["address"].as_str().unwrap();
        let named = address.matches('{').count();
        assert_eq!(
            channel["parameters"].as_object().unwrap().len(),
            named,
            "{name}"
        );
    }
}
