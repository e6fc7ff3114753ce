//! What the document's reader takes, what it refuses and how it says so.

use scenario::link::{decode, encode};
use scenario::{Deed, compile, read, resolve, write};
use sim::{Nanos, Time};

/// A scenario of the gallery, written one field a line.
fn sample() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/one-node-lost.json");
    let value: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

/// The sample with one text replaced; the refusal that follows.
fn refused(from: &str, to: &str) -> String {
    let text = sample();
    assert!(text.contains(from), "the sample has {from}");
    match read(&text.replacen(from, to, 1)) {
        Err(refusal) => refusal.to_string(),
        Ok(document) => compile(&document).expect_err("should be refused").to_string(),
    }
}

#[test]
fn a_document_comes_back_as_it_was_written() {
    let document = read(&sample()).unwrap();
    assert_eq!(read(&write(&document)).unwrap(), document);
    let compiled = compile(&document).unwrap();
    assert_eq!(compiled.end, Time::ZERO + Nanos::secs(40));
    assert_eq!(compiled.tape.len(), 4);
    assert_eq!((compiled.tape[0].log, compiled.tape[0].queue), (true, false));
    assert_eq!(compiled.tape[1].deed, Deed::PowerOff("rabbit-1".to_owned()));
}

#[test]
fn errors_name_the_place_what_was_expected_and_the_nearest_valid_name() {
    let message = refused("\"producers\"", "\"producer\"");
    assert!(message.starts_with("workload.producer: `producer` is not known here at line "), "{message}");
    assert!(message.ends_with("; did you mean `producers`?"), "{message}");
    assert!(
        refused("\"9/s\"", "\"8\"")
            .contains("workload.producers[0].rate: `8` is not understood: write a rate such as `20/s`")
    );
    assert!(refused("power-off", "poweroff").contains("tape[0].order: `poweroff` is not known here"));
    assert!(refused("power-off", "poweroff").contains("did you mean `power-off`?"));
    assert_eq!(
        refused("\"node\": \"broker-1\"", "\"node\": \"broker-9\""),
        "tape[0].node: there is no node `broker-9` here; did you mean `broker-1`?"
    );
    assert_eq!(
        refused("\"acks\": \"all\"", "\"aks\": \"all\""),
        "log.producer.aks: unknown setting aks; did you mean acks?"
    );
    assert_eq!(
        refused("\"orders-2\"", "\"orders-1\""),
        "workload.producers[1].name: `orders-1` is the name of another client already"
    );
    assert!(refused("\"brokerlab\": 1", "\"brokerlab\": 2").contains("brokerlab: expected 1"));
}

#[test]
fn everything_is_bounded_and_the_refusal_says_by_what() {
    assert_eq!(refused("\"brokers\": 3", "\"brokers\": 11"), "log.brokers: expected 1 to 10 brokers, found 11");
    assert!(
        refused("\"partitions\": 3", "\"partitions\": 301")
            .contains("log.topics: expected 0 to 300 partitions in all topics, found 301")
    );
    assert!(
        refused("\"9/s\"", "\"2000000/s\"")
            .contains("workload.producers[0].rate: expected 0 to 1000000 messages a second, found 2000000")
    );
    assert!(refused("\"40s\"", "\"25h\"").contains("length: expected 1 to 86400 seconds, found 90000"));
    assert!(refused("\"40s\"", "\"0s\"").contains("length: expected 1"));
    assert!(refused("\"prefetch_count\": 10", "\"prefetch_count\": -1").contains("queue.consumer.prefetch_count"));
    assert!(refused("\"replication.factor\": 3", "\"replication.factor\": 4").contains("log.topics[0]"));
    assert!(read(&" ".repeat(scenario::TEXT_MAX + 1)).unwrap_err().to_string().contains("at most 1048576 are read"));
}

#[test]
fn settings_that_kafka_refuses_are_refused_with_its_reason() {
    let message = refused("\"acks\": \"all\"", "\"acks\": \"1\", \"enable.idempotence\": true");
    assert!(message.contains("idempoten") && message.starts_with("log.producers[0]"), "{message}");
}

#[test]
fn transactions_are_for_producers_with_an_id_and_forwarding_is_for_consumers() {
    let with = |clients: &str| refused("\"producer\": {", &format!("\"clients\": {{ {clients} }}, \"producer\": {{"));
    assert_eq!(
        with(r#""orders-1": { "transactions": { "records": 5 } }"#),
        "log.clients.orders-1.transactions: `orders-1` has no transactional.id"
    );
    assert_eq!(
        with(r#""fulfil-1": { "transactions": { "records": 5 } }"#),
        "log.clients.fulfil-1.transactions: `fulfil-1` is a consumer: only producers have transactions"
    );
    assert_eq!(
        with(r#""orders-1": { "forward": { "topic": "orders", "transactional.id": "a" } }"#),
        "log.clients.orders-1.forward: `orders-1` is a producer: only consumers forward"
    );
    let own = with(r#""fulfil-1": { "forward": { "topic": "orders", "transactional.id": "a" } }"#);
    assert!(own.contains("orders would be read by who writes to it"), "{own}");
    let late = with(r#""orders-1": { "config": { "transactional.id": "a", "transaction.timeout.ms": 900001 } }"#);
    assert!(late.contains("INVALID_TRANSACTION_TIMEOUT"), "{late}");
    let many = with(r#""orders-1": { "config": { "transactional.id": "a" }, "transactions": { "records": 1000001 } }"#);
    assert!(many.contains("expected 0 to 1000000 records in a transaction"), "{many}");
}

#[test]
fn an_order_needs_its_fields_and_a_client_of_the_right_kind() {
    let document = read(&sample()).unwrap();
    let workload = compile(&document).unwrap().workload;
    let order = |text: &str| resolve(&document, &workload, &serde_json::from_str(text).unwrap());
    assert!(order(r#"{"at":"1s","order":"kill","node":"rabbit-2"}"#).is_ok());
    let refusal = |text: &str| order(text).unwrap_err().to_string();
    assert_eq!(refusal(r#"{"at":"1s","order":"kill"}"#), "order.node: is missing: this order needs it");
    assert_eq!(
        refusal(r#"{"at":"1s","order":"set-rate","node":"fulfil-1","rate":"1/s"}"#),
        "order.node: `fulfil-1` is no producer"
    );
    assert_eq!(
        refusal(r#"{"at":"1s","order":"cut","from":["broker-1"],"to":["rabbit-1"]}"#),
        "order.node: there is no node `rabbit-1` here; did you mean `rabbit-1`?"
            .replace("; did you mean `rabbit-1`?", "")
    );
    assert_eq!(
        refusal(r#"{"at":"1s","order":"commit-transaction","node":"orders-1"}"#),
        "order.node: `orders-1` has no transactional.id"
    );
    let both = order(r#"{"at":"1s","order":"pause","node":"fulfil-1"}"#).unwrap();
    assert_eq!((both.log, both.queue), (true, true));
}

#[test]
fn a_link_brings_back_the_whole_document_and_its_digest() {
    let document = read(&sample()).unwrap();
    let fragment = encode(&document, Some(0x0123_4567_89ab_cdef));
    let link = decode(&format!("https://example.org/lab/#{fragment}")).unwrap();
    assert_eq!((link.document, link.digest), (document.clone(), Some(0x0123_4567_89ab_cdef)));
    assert_eq!(decode(&encode(&document, None)).unwrap().digest, None);
    assert!(fragment.len() < 700, "{} characters", fragment.len());
}

#[test]
fn a_link_carries_the_branches_which_are_checked_as_the_tape_is() {
    let branch = |order: &str| {
        let text = sample().replacen("\"tape\":", &format!("\"branches\": [{order}], \"tape\":"), 1);
        read(&text)
    };
    let killed = "{\"name\": \"kills\", \"at\": \"3s\", \"tape\": [{\"at\": \"3s\", \"order\": \"kill\", \"node\": \"rabbit-2\"}]}";
    let document = branch(killed).unwrap();
    assert_eq!((document.branches.len(), document.branches[0].tape.len()), (1, 1));
    assert_eq!(decode(&encode(&document, None)).unwrap().document, document);
    // What is played is the tape alone.
    assert_eq!(compile(&document).unwrap().tape, compile(&read(&sample()).unwrap()).unwrap().tape);

    let refusal = |order: &str| branch(order).unwrap_err().to_string();
    assert!(refusal(&killed.replace("rabbit-2", "rabbit-9")).contains("branches[0].tape[0].node"));
    assert!(refusal(&killed.replace("kills", "")).contains("branches[0].name"));
    assert!(
        refusal(&killed.replace("\"at\": \"3s\", \"tape\"", "\"at\": \"99s\", \"tape\"")).contains("branches[0].at")
    );
    assert!(refusal(&killed.replace("\"name\"", "\"named\"")).contains("did you mean `name`"));
    assert!(refusal(&[killed; 21].join(",")).contains("branches"));
}

#[test]
fn a_damaged_link_says_so_and_never_plays_something_else() {
    let document = read(&sample()).unwrap();
    let fragment = encode(&document, Some(7));
    for end in 0..fragment.len() {
        // Cut anywhere, a link is refused; without its digest only, it is whole but says no digest.
        if let Ok(link) = decode(&fragment[..end]) {
            assert_eq!((link.document, link.digest), (document.clone(), None), "cut at {end}");
        }
    }
    let mut dice = sim::Dice::named(1, "fuzz", &[]);
    for _ in 0..3_000 {
        let mut bytes = fragment.clone().into_bytes();
        for _ in 0..=dice.below(4) {
            let place = dice.below(bytes.len() as u64) as usize;
            bytes[place] = b" !#.AZaz09-_%"[dice.below(13) as usize];
        }
        let text = String::from_utf8(bytes).unwrap();
        match decode(&text) {
            Err(refusal) => assert!(!refusal.to_string().is_empty()),
            Ok(link) => assert_eq!(link.document, document, "damage is never played as another run"),
        }
    }
    assert!(decode("").unwrap_err().to_string().contains("damaged"));
    assert!(decode("#2.abc").unwrap_err().to_string().contains("form 2"));
}

#[test]
fn a_link_that_unpacks_without_end_is_refused() {
    // 2 MB of spaces deflate to a few kilobytes; the reader stops at its bound.
    let mut document = read(&sample()).unwrap();
    document.about = " ".repeat(2 << 20);
    assert!(decode(&encode(&document, None)).unwrap_err().to_string().contains("unpacked"));
}
