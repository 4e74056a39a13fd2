//! The traffic: checkouts of 10,000 customers, some of which the rule answers.

use bytes::Bytes;
use onscene::clock::{Millis, format_rfc3339};

/// Customers the events are about, in turn.
pub(crate) const CUSTOMERS: u64 = 10_000;

/// One event: its subject and its bytes. The rule answers those whose index is a multiple of `every`.
pub(crate) fn event(run: &str, index: u64, every: u64, time: Millis) -> (String, Bytes) {
    let customer = format!("C{:07}", index.wrapping_mul(2_654_435_761) % CUSTOMERS);
    let tender = if index.is_multiple_of(every) {
        "other_bank"
    } else {
        "own_account"
    };
    let payload = format!(
        concat!(
            r#"{{"specversion":"1.0","id":"{run}-{index}","source":"till-{till}","type":"merchant.checkout","#,
            r#""subject":"{customer}","time":"{time}","data":{{"stage":"started","amount":"{yuan}.50","#,
            r#""currency":"CNY","tender":"{tender}","merchant":{{"id":"M{merchant}","name":"Noodle House","#,
            r#""category":"dining","mcc":"5812","city":"Shanghai","partner":true}},"items":[]}}}}"#
        ),
        run = run,
        index = index,
        till = index % 97,
        customer = customer,
        time = format_rfc3339(time),
        yuan = 100 + index % 400,
        tender = tender,
        merchant = index % 211,
    );
    (
        format!("scene.events.merchant.checkout.{customer}"),
        payload.into(),
    )
}
