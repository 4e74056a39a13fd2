//! The catalogue is what the engine has, in both directions.

use super::*;
use crate::event::Schema;
use crate::money::Money;
use crate::partitioning::CustomerId;
use crate::rules::moment::{EventView, Moment, PastDecision, Standing, Subject};
use crate::rules::rule::Function as RuleFunction;
use crate::rules::{api, sandbox};
use crate::state::{Customer, Customers, DecisionId};
use rhai::{Dynamic, Engine, EvalAltResult, Scope};
use std::collections::BTreeSet;
use std::sync::Arc;

const API: &str = concat!(
    include_str!("../api.rs"),
    include_str!("../numbers.rs"),
    include_str!("../windows.rs")
);

/// What stands in the first double quotes after each occurrence of some code.
fn names_after(code: &str) -> BTreeSet<&'static str> {
    let parts = API.split(code).skip(1);
    let quoted = parts.filter_map(|part| part.trim_start().strip_prefix('"'));
    quoted.filter_map(|part| part.split('"').next()).collect()
}

/// An engine and a customer of whom nothing is known.
fn desk() -> (Engine, Dynamic, Dynamic) {
    let schema = Arc::new(Schema::default());
    let mut engine = sandbox::engine();
    api::register_properties(&mut engine, &schema);
    let customers = Arc::new(Customers::default());
    let customer = Arc::new(Customer::new(0));
    let id = CustomerId::new("C1").expect("a customer id");
    let occasion = crate::event::Occasion {
        id: "1".into(),
        source: "test".into(),
        kind: "broadcast.goal".into(),
        time: 0,
        traceparent: None,
        data: crate::event::Value::Record(Vec::new()),
    };
    let view = EventView::new(&occasion, Some(&id));
    let standing = Standing {
        id: &id,
        customer: &customer,
        customers: &customers,
        time: 0,
        index: 0,
    };
    let (event, customer) = Moment::new(Subject::View(&view), standing, &schema, None).views();
    (engine, event, customer)
}

fn sample(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::Window => "\"30d\"",
        Parameter::EventType => "\"merchant.checkout\"",
        Parameter::Filter => "#{ stage: \"paid\" }",
        Parameter::DistinctWhat => "\"merchant\"",
        Parameter::Number => "2.5",
        Parameter::Whole => "2",
        _ => "\"x\"",
    }
}

/// Whether a value is what the catalogue says.
fn fits(value: &Dynamic, returns: Returns) -> bool {
    let number = value.is_int() || value.is_decimal();
    match returns {
        Returns::Number | Returns::Positive | Returns::Part => number,
        Returns::Boolean => value.is_bool(),
        Returns::Text => value.is_string(),
        Returns::CategoryOrNone => value.is_string() || value.is_unit(),
        Returns::EventOrNone => value.is_unit() || !number,
    }
}

fn called(engine: &Engine, call: &str, customer: &Dynamic) -> Result<Dynamic, Box<EvalAltResult>> {
    let mut scope = Scope::new();
    scope.push("customer", customer.clone());
    engine.eval_with_scope(&mut scope, call)
}

#[test]
fn each_call_of_the_catalogue_is_one_of_the_engine_and_returns_what_it_says() {
    let (engine, _, customer) = desk();
    let customers = CUSTOMER_FUNCTIONS.iter().map(|f| (f, "customer."));
    let helpers = HELPERS.iter().map(|f| (f, ""));
    for (function, of) in customers.chain(helpers) {
        for signature in function.signatures {
            let arguments: Vec<&str> = signature.iter().map(|p| sample(*p)).collect();
            let call = format!("{of}{}({})", function.name, arguments.join(", "));
            let value = called(&engine, &call, &customer).unwrap_or_else(|e| panic!("{call}: {e}"));
            assert!(fits(&value, function.returns), "{call} is {value:?}");
        }
        let longest = function.signatures.iter().map(|s| s.len()).max();
        let many = vec!["\"x\""; longest.unwrap_or(0) + 1].join(", ");
        let call = format!("{of}{}({many})", function.name);
        let failed = called(&engine, &call, &customer).expect_err(&call);
        assert!(failed.to_string().contains("not found"), "{call}: {failed}");
    }
}

#[test]
fn each_function_that_is_registered_is_in_the_catalogue() {
    let registered = &names_after(".register_fn(") | &names_after("windowed!(engine,");
    let known: BTreeSet<&str> = CUSTOMER_FUNCTIONS
        .iter()
        .chain(HELPERS)
        .map(|f| f.name)
        .collect();
    let missing: Vec<_> = registered.difference(&known).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let standard = known.difference(&registered).copied();
    assert!(
        standard.clone().all(is_standard),
        "{:?}",
        standard.collect::<Vec<_>>()
    );
}

#[test]
fn each_property_of_the_catalogue_is_one_of_the_engine() {
    let (engine, event, customer) = desk();
    for (value, table) in [(event, EVENT_PROPERTIES), (customer, CUSTOMER_PROPERTIES)] {
        for name in names(table) {
            let mut scope = Scope::new();
            scope.push("it", value.clone());
            let asked = engine.eval_with_scope::<Dynamic>(&mut scope, &format!("it.{name}"));
            assert!(asked.is_ok(), "{name}: {asked:?}");
        }
    }
}

#[test]
fn a_decision_has_the_fields_of_the_catalogue() {
    let (engine, ..) = desk();
    let decision = PastDecision {
        id: DecisionId([0; 16]),
        rule: "a".into(),
        variant: "default".into(),
        step: 0,
        channel: "push".into(),
        code: None,
        value: Some(Money::ZERO),
        cost: None,
        time: 0,
        holdout: false,
    };
    for name in names(DECISION_FIELDS) {
        let mut scope = Scope::new();
        scope.push("decision", decision.view());
        let asked = engine.eval_with_scope::<Dynamic>(&mut scope, &format!("decision.{name}"));
        assert!(asked.is_ok(), "{name}: {asked:?}");
    }
    let mut scope = Scope::new();
    scope.push("decision", decision.view());
    let wrong = engine.eval_with_scope::<Dynamic>(&mut scope, "decision.x");
    let known = wrong.expect_err("no such field").to_string();
    for name in names(DECISION_FIELDS) {
        assert!(known.contains(name), "{known}");
    }
    let listed = known.split(" (line").next().unwrap_or("");
    let listed = listed
        .split("use one of ")
        .nth(1)
        .unwrap_or("")
        .split(", ")
        .count();
    assert_eq!(listed, DECISION_FIELDS.len(), "{known}");
}

#[test]
fn every_example_of_a_text_holds() {
    let engine = sandbox::engine();
    for function in TEXT_FUNCTIONS {
        let code = format!(
            "let event = #{{ date: \"2026-11-22\", merchant: #{{ name: \"Mei\" }} }}; {}",
            function.example
        );
        let held = engine.eval::<bool>(&code);
        assert!(matches!(held, Ok(true)), "{}: {held:?}", function.example);
    }
}

#[test]
fn the_fields_for_filters_are_those_that_the_engine_takes() {
    let (engine, _, customer) = desk();
    let all: BTreeSet<&str> = FILTER_FIELDS
        .iter()
        .flat_map(|(_, f)| f.iter().copied())
        .collect();
    for (kind, fields) in FILTER_FIELDS {
        for field in &all {
            let call = format!("customer.count(\"{kind}\", \"1d\", #{{ {field}: 1 }})");
            let taken = called(&engine, &call, &customer).is_ok();
            assert_eq!(taken, fields.contains(field), "{call}");
        }
    }
    for what in DISTINCT {
        assert!(
            called(
                &engine,
                &format!("customer.distinct(\"{what}\", \"1d\")"),
                &customer
            )
            .is_ok()
        );
    }
}

#[test]
fn the_functions_of_a_rule_are_those_that_the_engine_calls() {
    let known: Vec<&str> = names(RULE_FUNCTIONS).collect();
    assert_eq!(known, RuleFunction::ALL.map(RuleFunction::name));
    for (function, row) in RuleFunction::ALL.iter().zip(RULE_FUNCTIONS) {
        let parameters = row.example.matches(',').count() + 1;
        assert_eq!(parameters, *function.parameters().end(), "{}", row.example);
        assert_eq!(function.is_required(), row.default == "required");
    }
}

#[test]
fn each_field_of_a_rule_is_read_by_somebody() {
    let readers = [include_str!("../header.rs"), include_str!("../waiting.rs")];
    for name in names(RULE_FIELDS) {
        let quoted = format!("\"{name}\"");
        assert!(readers.iter().any(|text| text.contains(&quoted)), "{name}");
    }
}
