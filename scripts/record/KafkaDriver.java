// Kafka's own clients, told what to do by JSON lines on stdin: {"id", "op", …}. Each is answered by one line on
// stdout: {"id", "ok": …} or {"id", "error": the class that Kafka threw}. Times are milliseconds of the machine's
// clock.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeProducersResult.PartitionProducerState;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class KafkaDriver {
    static final ObjectMapper JSON = new ObjectMapper();
    static final Map<String, KafkaProducer<String, String>> PRODUCERS = new ConcurrentHashMap<>();
    static final Map<String, Stream> STREAMS = new ConcurrentHashMap<>();
    static final Map<String, Reader> READERS = new ConcurrentHashMap<>();
    static final Map<String, Sharer> SHARERS = new ConcurrentHashMap<>();
    static String servers;
    static Admin admin;

    public static void main(String[] args) throws Exception {
        servers = args[0];
        Properties impatient = properties(null);
        // A broker that was cut off must not hold up what another could answer.
        impatient.put("request.timeout.ms", "5000");
        impatient.put("socket.connection.setup.timeout.ms", "2000");
        admin = Admin.create(impatient);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        ExecutorService pool = Executors.newCachedThreadPool();
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            JsonNode command = JSON.readTree(line);
            pool.execute(() -> answer(command));
        }
        System.exit(0);
    }

    static void answer(JsonNode command) {
        ObjectNode answer = JSON.createObjectNode().put("id", command.get("id").asLong());
        try {
            answer.set("ok", JSON.valueToTree(perform(command)));
        } catch (Throwable thrown) {
            Throwable cause = thrown instanceof ExecutionException ? thrown.getCause() : thrown;
            answer.put("error", cause.getClass().getSimpleName()).put("message", String.valueOf(cause.getMessage()));
        }
        synchronized (System.out) {
            System.out.println(answer);
        }
    }

    static Object perform(JsonNode it) throws Exception {
        switch (text(it, "op")) {
            case "topic.create": return createTopic(it);
            case "topic.delete": return wait(admin.deleteTopics(List.of(text(it, "topic"))).all());
            case "topic.describe": return describe(text(it, "topic"));
            case "topic.offsets": return offsets(text(it, "topic"), it.path("partition").asInt(0));
            case "topic.producers": return producers(it);
            case "cluster.brokers": return brokers();
            case "cluster.lag": return lag();
            // Each partition is led by its preferred replica again.
            case "leaders.elect": return wait(admin.electLeaders(ElectionType.PREFERRED, null).all());
            case "group.coordinator": return coordinator(text(it, "group"));
            case "group.configure": return configureGroup(it);
            case "producer.open":
                PRODUCERS.put(text(it, "name"), new KafkaProducer<>(properties(it.get("config"))));
                return null;
            case "producer.close":
                PRODUCERS.remove(text(it, "name")).close(Duration.ofMillis(it.path("timeout_ms").asLong(10_000)));
                return null;
            case "producer.send": return send(it);
            case "producer.stream":
                STREAMS.put(text(it, "name"), new Stream(it));
                return null;
            case "producer.count": return STREAMS.get(text(it, "name")).answered();
            case "producer.finish": return STREAMS.remove(text(it, "name")).finish(it.get("timeout_ms").asLong());
            case "transaction.init": producer(it).initTransactions(); return null;
            case "transaction.begin": producer(it).beginTransaction(); return null;
            case "transaction.commit": producer(it).commitTransaction(); return null;
            case "transaction.abort": producer(it).abortTransaction(); return null;
            case "consumer.open":
                READERS.put(text(it, "name"), new Reader(it));
                return null;
            case "consumer.work": return READERS.get(text(it, "name")).work(it.get("ms").asLong());
            case "consumer.count": return READERS.get(text(it, "name")).records.size();
            case "consumer.state": return READERS.get(text(it, "name")).state();
            case "consumer.records": return READERS.get(text(it, "name")).records();
            case "consumer.close": return READERS.remove(text(it, "name")).close();
            case "topic.read": return read(it);
            case "share.open":
                SHARERS.put(text(it, "name"), new Sharer(it));
                return null;
            case "share.poll": return SHARERS.get(text(it, "name")).poll(it);
            case "share.acknowledge": return SHARERS.get(text(it, "name")).acknowledge(it);
            case "share.close": SHARERS.remove(text(it, "name")).consumer.close(); return null;
            default: throw new IllegalArgumentException("no such op: " + it);
        }
    }

    static String text(JsonNode it, String name) {
        return it.get(name).asText();
    }

    static KafkaProducer<String, String> producer(JsonNode it) {
        return PRODUCERS.get(text(it, "name"));
    }

    static Properties properties(JsonNode config) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", servers);
        properties.put("key.serializer", StringSerializer.class.getName());
        properties.put("value.serializer", StringSerializer.class.getName());
        properties.put("key.deserializer", StringDeserializer.class.getName());
        properties.put("value.deserializer", StringDeserializer.class.getName());
        if (config != null) config.properties().forEach(one -> properties.put(one.getKey(), one.getValue().asText()));
        return properties;
    }

    static <T> T wait(org.apache.kafka.common.KafkaFuture<T> future) throws Exception {
        return future.get(60, TimeUnit.SECONDS);
    }

    static Map<String, String> strings(JsonNode config) {
        Map<String, String> map = new HashMap<>();
        if (config != null) config.properties().forEach(one -> map.put(one.getKey(), one.getValue().asText()));
        return map;
    }

    static Object createTopic(JsonNode it) throws Exception {
        Map<Integer, List<Integer>> assignment = new HashMap<>();
        for (JsonNode replicas : it.get("assignment")) {
            List<Integer> list = new ArrayList<>();
            replicas.forEach(replica -> list.add(replica.asInt()));
            assignment.put(assignment.size(), list);
        }
        NewTopic topic = new NewTopic(text(it, "topic"), assignment).configs(strings(it.get("config")));
        wait(admin.createTopics(List.of(topic)).all());
        return null;
    }

    static List<Integer> ids(Collection<Node> nodes) {
        List<Integer> list = new ArrayList<>();
        if (nodes != null) nodes.forEach(node -> list.add(node.id()));
        return list;
    }

    static Object describe(String topic) throws Exception {
        List<Object> partitions = new ArrayList<>();
        var described = wait(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
        for (TopicPartitionInfo one : described.partitions()) {
            Map<String, Object> partition = new HashMap<>();
            partition.put("leader", one.leader() == null || one.leader().isEmpty() ? null : one.leader().id());
            partition.put("isr", new TreeSet<>(ids(one.isr())));
            partition.put("elr", new TreeSet<>(ids(one.elr())));
            partitions.add(partition);
        }
        return partitions;
    }

    /** The first offset, and the next to be read by each isolation level. */
    static Object offsets(String topic, int number) throws Exception {
        TopicPartition partition = new TopicPartition(topic, number);
        Map<String, Object> found = new HashMap<>();
        found.put("earliest", offset(partition, OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED));
        found.put("latest", offset(partition, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED));
        found.put("last_stable", offset(partition, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED));
        return found;
    }

    /** A leader that just died must not hold this up for the client's usual minute: it is asked for again. */
    static long offset(TopicPartition partition, OffsetSpec spec, IsolationLevel level) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (true) {
            ListOffsetsOptions options = new ListOffsetsOptions(level).timeoutMs(5000);
            try {
                return wait(admin.listOffsets(Map.of(partition, spec), options).all()).get(partition).offset();
            } catch (ExecutionException thrown) {
                if (!(thrown.getCause() instanceof TimeoutException) || System.nanoTime() > end) throw thrown;
            }
        }
    }

    static Object producers(JsonNode it) throws Exception {
        TopicPartition partition = new TopicPartition(text(it, "topic"), 0);
        PartitionProducerState state = wait(admin.describeProducers(List.of(partition)).partitionResult(partition));
        return state.activeProducers().stream().filter(one -> one.currentTransactionStartOffset().isPresent()).count();
    }

    static Object brokers() throws Exception {
        return new TreeSet<>(ids(wait(admin.describeCluster().nodes())));
    }

    /** How far the brokers are behind the controller's metadata, each by its number. */
    static Object lag() throws Exception {
        var quorum = wait(admin.describeMetadataQuorum().quorumInfo());
        long end = quorum.voters().stream().mapToLong(voter -> voter.logEndOffset()).max().orElse(0);
        Map<Integer, Long> behind = new HashMap<>();
        quorum.observers().forEach(one -> behind.put(one.replicaId(), end - one.logEndOffset()));
        return behind;
    }

    /** The broker that would coordinate a group, whether there is one of the name or not. */
    static Object coordinator(String group) throws Exception {
        try {
            // To ask for a group's coordinator makes the topic of committed offsets.
            wait(admin.describeConsumerGroups(List.of(group)).all());
        } catch (ExecutionException none) {
            // There is no such group.
        }
        String topic = "__consumer_offsets";
        var partitions = wait(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic).partitions();
        int number = (group.hashCode() & 0x7fffffff) % partitions.size();
        return partitions.get(number).leader().id();
    }

    static Object configureGroup(JsonNode it) throws Exception {
        List<AlterConfigOp> changes = new ArrayList<>();
        strings(it.get("config")).forEach(
            (name, value) -> changes.add(new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET)));
        ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, text(it, "group"));
        return wait(admin.incrementalAlterConfigs(Map.of(group, changes)).all());
    }

    /** A value of so many `bytes`, if that is said; a time of so much after now, if `ahead_ms` is. */
    static Object send(JsonNode it) throws Exception {
        Integer partition = it.has("partition") ? it.get("partition").asInt() : null;
        String key = it.has("key") ? text(it, "key") : null;
        String value = it.path("value").isNull() ? null : padded(text(it, "value"), it.path("bytes").asInt(0));
        Long time = it.has("ahead_ms") ? System.currentTimeMillis() + it.get("ahead_ms").asLong() : null;
        var record = new ProducerRecord<String, String>(text(it, "topic"), partition, time, key, value);
        RecordMetadata done = producer(it).send(record).get();
        return Map.of("partition", done.partition(), "offset", done.offset());
    }

    static String padded(String value, int bytes) {
        return value + ".".repeat(Math.max(0, bytes - value.length()));
    }

    /** Sends records at a rate, and notes of each when it was sent and how it was answered. */
    static class Stream {
        final KafkaProducer<String, String> producer;
        final int messages;
        final long[] sent;
        final long[] done;
        final long[] offsets;
        final String[] errors;
        final CountDownLatch open;

        Stream(JsonNode it) {
            producer = new KafkaProducer<>(properties(it.get("config")));
            messages = it.get("messages").asInt();
            sent = new long[messages];
            done = new long[messages];
            offsets = new long[messages];
            errors = new String[messages];
            open = new CountDownLatch(messages);
            producer.partitionsFor(text(it, "topic"));
            Thread thread = new Thread(() -> run(text(it, "topic"), it.get("rate").asInt(), it.get("bytes").asInt()));
            thread.setDaemon(true);
            thread.start();
        }

        void run(String topic, int rate, int bytes) {
            long began = System.nanoTime();
            for (int index = 0; index < messages; index++) {
                long left = began + index * 1_000_000_000L / rate - System.nanoTime();
                try {
                    if (left > 0) TimeUnit.NANOSECONDS.sleep(left);
                } catch (InterruptedException interrupted) {
                    return;
                }
                String value = padded("m" + (index + 1), bytes);
                int number = index;
                sent[number] = System.currentTimeMillis();
                producer.send(new ProducerRecord<>(topic, 0, null, value), (metadata, error) -> {
                    done[number] = System.currentTimeMillis();
                    if (error == null) offsets[number] = metadata.offset();
                    else errors[number] = error.getClass().getSimpleName();
                    open.countDown();
                });
            }
        }

        long answered() {
            return messages - open.getCount();
        }

        Object finish(long timeout) throws Exception {
            open.await(timeout, TimeUnit.MILLISECONDS);
            ArrayNode all = JSON.createArrayNode();
            for (int index = 0; index < messages; index++) {
                ObjectNode one = all.addObject().put("sent", sent[index]);
                if (done[index] != 0) one.put("done", done[index]);
                if (errors[index] != null) one.put("error", errors[index]);
                else if (done[index] != 0) one.put("offset", offsets[index]);
            }
            producer.close(Duration.ZERO);
            return all;
        }
    }

    /** A consumer that polls all the time, and notes what it gets and what it is assigned. */
    static class Reader implements ConsumerRebalanceListener {
        final KafkaConsumer<String, String> consumer;
        final List<Map<String, Object>> records = new ArrayList<>();
        final List<Map<String, Object>> events = new ArrayList<>();
        final CountDownLatch over = new CountDownLatch(1);
        volatile boolean ended;
        volatile String error;
        volatile long busy;
        TreeSet<String> assignment = new TreeSet<>();

        Reader(JsonNode it) {
            consumer = new KafkaConsumer<>(properties(it.get("config")));
            List<String> topics = new ArrayList<>();
            it.get("topics").forEach(topic -> topics.add(topic.asText()));
            consumer.subscribe(topics, this);
            Thread thread = new Thread(this::run);
            thread.setDaemon(true);
            thread.start();
        }

        void run() {
            try {
                while (!ended) {
                    for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) got(record);
                    Thread.sleep(busy);
                    busy = 0;
                }
            } catch (Exception thrown) {
                error = thrown.getClass().getSimpleName();
            } finally {
                consumer.close();
                over.countDown();
            }
        }

        /** After its next poll it works for so long before it polls again. */
        Object work(long ms) {
            busy = ms;
            return null;
        }

        synchronized void got(ConsumerRecord<String, String> record) {
            Map<String, Object> one = new HashMap<>();
            one.put("at", System.currentTimeMillis());
            one.put("partition", record.partition());
            one.put("offset", record.offset());
            one.put("value", record.value());
            records.add(one);
        }

        synchronized void note(String what, Collection<TopicPartition> partitions) {
            TreeSet<String> names = new TreeSet<>();
            partitions.forEach(one -> names.add(one.toString()));
            if (what.equals("assigned")) assignment.addAll(names);
            else assignment.removeAll(names);
            if (!ended) events.add(Map.of("at", System.currentTimeMillis(), what, names));
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            note("assigned", partitions);
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            note("revoked", partitions);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            note("lost", partitions);
        }

        synchronized Object state() {
            Map<String, Object> state = new HashMap<>();
            state.put("assignment", List.copyOf(assignment));
            state.put("events", List.copyOf(events));
            state.put("error", error);
            return state;
        }

        synchronized Object records() {
            return List.copyOf(records);
        }

        Object close() throws Exception {
            ended = true;
            over.await();
            return null;
        }
    }

    /** Reads a partition from its beginning until nothing has come for a while. */
    static Object read(JsonNode it) {
        Properties properties = properties(it.get("config"));
        List<Object> found = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties)) {
            TopicPartition partition = new TopicPartition(text(it, "topic"), it.path("partition").asInt(0));
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long last = System.currentTimeMillis();
            while (System.currentTimeMillis() - last < it.path("rest_ms").asLong(1500)) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
                    Map<String, Object> one = new HashMap<>();
                    one.put("offset", record.offset());
                    if (record.key() != null) one.put("key", record.key());
                    one.put("value", record.value());
                    found.add(one);
                    last = System.currentTimeMillis();
                }
            }
        }
        return found;
    }

    /** A member of a share group, one step at a time. */
    static class Sharer {
        final KafkaShareConsumer<String, String> consumer;
        final Map<String, ConsumerRecord<String, String>> held = new HashMap<>();

        Sharer(JsonNode it) {
            consumer = new KafkaShareConsumer<>(properties(it.get("config")));
            consumer.subscribe(List.of(text(it, "topic")));
        }

        /** Polls until a poll gives something, or the time is over. */
        synchronized Object poll(JsonNode it) {
            long end = System.currentTimeMillis() + it.get("timeout_ms").asLong();
            List<Object> found = new ArrayList<>();
            while (found.isEmpty() && System.currentTimeMillis() < end) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                    held.put(record.value(), record);
                    short count = record.deliveryCount().orElse((short) 0);
                    found.add(Map.of("value", record.value(), "delivery_count", count));
                }
            }
            return found;
        }

        synchronized Object acknowledge(JsonNode it) {
            it.get("records").properties().forEach(one ->
                consumer.acknowledge(held.remove(one.getKey()), AcknowledgeType.valueOf(one.getValue().asText())));
            Map<String, String> outcome = new HashMap<>();
            consumer.commitSync().forEach((partition, error) -> {
                String name = error.map(thrown -> thrown.getClass().getSimpleName()).orElse("ok");
                outcome.put(String.valueOf(partition.partition()), name);
            });
            return outcome;
        }
    }
}
