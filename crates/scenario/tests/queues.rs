//! What a RabbitMQ would refuse is refused here with its code and a sentence; what it accepts and does less of than one
//! may think is accepted, and said.

use scenario::{compile, read};
use serde_json::{Value, json};

fn document(change: impl FnOnce(&mut Value)) -> Value {
    let mut value = json!({
        "brokerlab": 1,
        "length": "10s",
        "workload": {
            "producers": [{ "name": "orders", "rate": "10/s" }],
            "consumers": [{ "name": "fulfil", "processing": "10ms" }],
        },
        "queue": { "nodes": 3, "queues": [{ "name": "work", "arguments": { "x-queue-type": "quorum" } }] },
    });
    change(&mut value);
    value
}

fn refused(change: impl FnOnce(&mut Value)) -> String {
    let text = document(change).to_string();
    match read(&text) {
        Err(refusal) => refusal.to_string(),
        Ok(document) => compile(&document).expect_err(&text).to_string(),
    }
}

fn remarks(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let compiled = compile(&read(&document(change).to_string()).unwrap()).unwrap();
    compiled.remarks.iter().map(|remark| format!("{}: {}", remark.path, remark.message)).collect()
}

fn arguments(value: &mut Value) -> &mut Value {
    &mut value["queue"]["queues"][0]["arguments"]
}

#[test]
fn arguments_of_the_wrong_type_or_value_are_refused_as_the_broker_does() {
    let cases: [(&str, Value, &str); 10] = [
        ("x-max-length", json!("ten"), "406 PRECONDITION_FAILED"),
        ("x-max-length", json!(-1), "406 PRECONDITION_FAILED"),
        ("x-message-ttl", json!(-5), "406 PRECONDITION_FAILED"),
        ("x-expires", json!(0), "406 PRECONDITION_FAILED"),
        ("x-overflow", json!("drop-tail"), "406 PRECONDITION_FAILED"),
        ("x-queue-type", json!("quorom"), "406 PRECONDITION_FAILED"),
        ("x-max-priority", json!(5), "406 PRECONDITION_FAILED"),
        ("x-dead-letter-exchange", json!(7), "406 PRECONDITION_FAILED"),
        ("x-dead-letter-strategy", json!("twice"), "406 PRECONDITION_FAILED"),
        ("x-delivery-limit", json!("none"), "406 PRECONDITION_FAILED"),
    ];
    for (name, value, code) in cases {
        let message = refused(|document| arguments(document)[name] = value.clone());
        let place = format!("queue.queues[0].arguments.{name}");
        assert!(message.starts_with(&place) && message.contains(code), "{name}={value}: {message}");
    }
    let message = refused(|document| document["queue"]["queues"][0]["durable"] = json!(false));
    assert!(message.contains("queue.queues[0].durable: 406"), "{message}");
}

#[test]
fn an_unknown_argument_is_accepted_and_named_as_ignored() {
    let said = remarks(|document| arguments(document)["x-max-lenght"] = json!(10));
    assert_eq!(said.len(), 1);
    assert!(said[0].starts_with("queue.queues[0].arguments.x-max-lenght: accepted and ignored"), "{said:?}");
    assert!(said[0].ends_with("did you mean x-max-length?"));
}

#[test]
fn dead_letters_that_come_back_or_go_nowhere_are_pointed_out() {
    let own = remarks(|document| {
        arguments(document)["x-dead-letter-exchange"] = json!("");
        arguments(document)["x-dead-letter-routing-key"] = json!("work");
    });
    assert!(own[0].contains("come back to this queue"), "{own:?}");
    let nowhere = remarks(|document| arguments(document)["x-dead-letter-exchange"] = json!("dead"));
    assert!(nowhere[0].contains("no exchange is named dead"), "{nowhere:?}");
    let falls_back = remarks(|document| {
        arguments(document)["x-dead-letter-exchange"] = json!("");
        arguments(document)["x-dead-letter-routing-key"] = json!("graves");
        arguments(document)["x-dead-letter-strategy"] = json!("at-least-once");
        document["queue"]["queues"].as_array_mut().unwrap().push(json!({ "name": "graves" }));
    });
    assert!(falls_back[0].contains("needs x-overflow=reject-publish"), "{falls_back:?}");
}

#[test]
fn a_queue_that_nothing_feeds_and_an_exchange_that_feeds_nothing_are_pointed_out() {
    let said = remarks(|document| {
        document["queue"]["queues"].as_array_mut().unwrap().push(json!({ "name": "idle" }));
        document["queue"]["exchanges"] = json!([{ "name": "void", "type": "fanout" }]);
    });
    assert!(said.iter().any(|said| said.starts_with("queue.queues[1]: nothing routes to it")), "{said:?}");
    assert!(said.iter().any(|said| said.starts_with("queue.exchanges[0]: nothing is bound to it")), "{said:?}");
}

#[test]
fn a_prefetch_that_amqp_cannot_say_is_refused_with_its_bounds() {
    let message = refused(|document| document["queue"]["consumer"] = json!({ "prefetch_count": -1 }));
    assert!(message.starts_with("queue.consumer.prefetch_count: "), "{message}");
    assert!(message.contains("expected 0 to 65535"), "{message}");
    let said = remarks(|document| document["queue"]["consumer"] = json!({ "prefetch_count": 0 }));
    assert!(said[0].contains("counts as 2000"), "{said:?}");
}

#[test]
fn policies_are_applied_and_refused_as_the_broker_does() {
    let policy = |definition: Value| json!([{ "name": "p", "pattern": "^w", "definition": definition }]);
    let compiled = |definition: Value| {
        let value = document(|document| document["queue"]["policies"] = policy(definition));
        compile(&read(&value.to_string()).unwrap()).unwrap()
    };
    let config = compiled(json!({ "max-length": 10 })).queue.unwrap();
    let all = config.arguments_of("work", &config.queues[0].arguments);
    assert_eq!(all.get("x-max-length"), Some(&queue_cluster::Value::Int(10)));
    let misspelt = refused(|document| document["queue"]["policies"] = policy(json!({ "max-lenght": 10 })));
    assert!(misspelt.contains("not recognised; did you mean max-length?"), "{misspelt}");
    let mirrors = refused(|document| document["queue"]["policies"] = policy(json!({ "ha-mode": "all" })));
    assert!(mirrors.contains("removed in 4.0"), "{mirrors}");
    let pattern = refused(|document| {
        document["queue"]["policies"] = json!([{ "name": "p", "pattern": "(a|b)", "definition": {} }]);
    });
    assert!(pattern.contains("queue.policies[0].pattern"), "{pattern}");
}

#[test]
fn partition_handling_and_alarms_have_the_brokers_names() {
    let settings = |config: Value| {
        let value = document(|document| document["queue"]["config"] = config);
        compile(&read(&value.to_string()).unwrap()).map(|compiled| compiled.queue.unwrap().server)
    };
    let server = settings(json!({
        "khepri_db": false,
        "cluster_partition_handling": "pause_if_all_down",
        "cluster_partition_handling.pause_if_all_down.nodes": [1, 3],
        "vm_memory_high_watermark.relative": 0.4,
        "disk_free_limit.absolute": "2GB",
        "credit_flow_default_credit": [100, 50],
    }))
    .unwrap();
    let nodes = vec![0, 2];
    let handling = queue_cluster::PartitionHandling::PauseIfAllDown { nodes, autoheal: false };
    assert_eq!(server.partition_handling, handling);
    assert_eq!((server.memory_watermark_percent, server.disk_free_limit), (40, 2_000_000_000));
    assert_eq!(server.credit, (100, 50));
    let refused = |config: Value| settings(config).unwrap_err().to_string();
    assert!(refused(json!({ "cluster_partition_handling": "auto_heal" })).contains("did you mean `autoheal`?"));
    assert!(refused(json!({ "vm_memory_high_watermark.relative": 40 })).contains("such as 0.6"));
    assert!(refused(json!({ "net_tick_time": "5s" })).contains("did you mean `net_ticktime`?"));
    let said = remarks(|document| document["queue"]["config"] = json!({ "cluster_partition_handling": "autoheal" }));
    assert!(said[0].contains("without effect"), "{said:?}");
}

#[test]
fn orders_for_servers_are_for_servers_and_for_queues_that_there_are() {
    let order = |order: Value| refused(|document| document["tape"] = json!([order]));
    let message = order(json!({ "at": "1s", "order": "fill-disk", "node": "orders" }));
    assert!(message.contains("`orders` is no server of the queue cluster"), "{message}");
    let message = order(json!({ "at": "1s", "order": "add-member", "node": "rabbit-1", "queue": "wrok" }));
    assert!(message.contains("there is no queue `wrok`; did you mean `work`?"), "{message}");
    let tape = json!([{ "at": "1s", "order": "fill-disk", "node": "rabbit-2", "free": "10MB" }]);
    let value = document(|document| document["tape"] = tape);
    assert!(compile(&read(&value.to_string()).unwrap()).is_ok());
}

#[test]
fn a_policy_that_is_set_while_it_runs_is_checked_as_those_of_the_start() {
    let order = |policy: Value| {
        let mut whole = document(|_| {});
        whole["tape"] = json!([{ "at": "1s", "order": "set-policy", "node": "rabbit-2", "policy": policy }]);
        let read = read(&whole.to_string()).map_err(|refusal| refusal.to_string())?;
        compile(&read).map(drop).map_err(|refusal| refusal.to_string())
    };
    let given = |definition: Value| order(json!({ "name": "p", "pattern": "^w", "definition": definition }));
    assert_eq!(given(json!({ "max-length": 10, "delivery-limit": 3, "max-age": "1h" })), Ok(()));
    let misspelt = given(json!({ "max-lenght": 10 })).unwrap_err();
    assert!(misspelt.contains("tape[0].policy.definition.max-lenght: not recognised; did you mean max-length?"));
    let value = given(json!({ "overflow": "drop-tail" })).unwrap_err();
    assert!(value.contains("tape[0].policy.definition.overflow: "), "{value}");
    let mirrors = given(json!({ "ha-mode": "all" })).unwrap_err();
    assert!(mirrors.contains("removed in 4.0"), "{mirrors}");
    let pattern = order(json!({ "name": "p", "pattern": "(" })).unwrap_err();
    assert!(pattern.contains("tape[0].policy.pattern"), "{pattern}");
    let missing = order(json!({ "name": "p" })).unwrap_err();
    assert!(missing.contains("pattern"), "{missing}");
    let mut cleared = document(|_| {});
    cleared["tape"] = json!([{ "at": "1s", "order": "clear-policy", "node": "rabbit-1" }]);
    let nameless = compile(&read(&cleared.to_string()).unwrap()).unwrap_err().to_string();
    assert!(nameless.contains("tape[0].value: is missing"), "{nameless}");
}
