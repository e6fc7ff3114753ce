// What Kafka's own classes answer, one JSON object a line: the forms are those of transcripts/kafka.
//   KafkaClasses answer              reads inputs from stdin, and writes them with the answers
//   KafkaClasses KIND SEED…          writes the lines of one kind that these seeds make (KafkaInputs)
//   KafkaClasses KIND SEED.. LINES   so many lines, of that seed and those after it

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.consumer.internals.AbstractPartitionAssignor;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.clients.producer.internals.KafkaDraws;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.metadata.PartitionChangeRecord;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.controller.PartitionChangeBuilder;
import org.apache.kafka.coordinator.group.api.assignor.PartitionAssignor;
import org.apache.kafka.coordinator.group.api.assignor.SubscribedTopicDescriber;
import org.apache.kafka.coordinator.group.api.assignor.SubscriptionType;
import org.apache.kafka.coordinator.group.assignor.RangeAssignor;
import org.apache.kafka.coordinator.group.assignor.SimpleAssignor;
import org.apache.kafka.coordinator.group.assignor.UniformAssignor;
import org.apache.kafka.coordinator.group.modern.Assignment;
import org.apache.kafka.coordinator.group.modern.GroupSpecImpl;
import org.apache.kafka.coordinator.group.modern.MemberSubscriptionAndAssignmentImpl;
import org.apache.kafka.metadata.LeaderRecoveryState;
import org.apache.kafka.metadata.PartitionRegistration;
import org.apache.kafka.server.common.MetadataVersion;

public class KafkaClasses {
    static final ObjectMapper JSON = new ObjectMapper();
    static final int[] COUNTS = {1, 2, 3, 5, 6, 12, 50, 100};

    public static void main(String[] args) throws IOException {
        try (var out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8))) {
            if (args[0].equals("answer")) {
                var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
                for (String line = in.readLine(); line != null; line = in.readLine()) {
                    out.write(answer((ObjectNode) JSON.readTree(line)) + "\n");
                }
                return;
            }
            String kind = args[0];
            if (args[1].endsWith("..")) {
                long seed = Long.parseLong(args[1].substring(0, args[1].length() - 2));
                for (int left = Integer.parseInt(args[2]); left > 0; seed++) {
                    for (ObjectNode line : KafkaInputs.of(kind, seed)) if (left-- > 0) out.write(line + "\n");
                }
            } else {
                for (int at = 1; at < args.length; at++) {
                    for (ObjectNode line : KafkaInputs.of(kind, Long.parseLong(args[at]))) out.write(line + "\n");
                }
            }
        }
    }

    /** Writes the answer to the end of an input, or in the place of the one that is there. */
    static ObjectNode answer(ObjectNode line) {
        if (line.has("key_hex")) {
            keyHash(line);
        } else if (line.has("queue_sizes")) {
            adaptive(line);
        } else if (line.has("event")) {
            election(line);
        } else if (line.has("topic_iteration_order")) {
            serverAssignment(line);
        } else {
            clientAssignment(line);
        }
        return line;
    }

    static void keyHash(ObjectNode line) {
        byte[] key = HexFormat.of().parseHex(line.get("key_hex").asText());
        line.put("murmur2", Utils.murmur2(key));
        ObjectNode partitions = line.putObject("partition");
        for (int count : COUNTS) {
            partitions.put(String.valueOf(count), BuiltInPartitioner.partitionForKey(key, count));
        }
    }

    static void adaptive(ObjectNode line) {
        int[] queues = ints(line.get("queue_sizes"));
        List<Integer> found = KafkaDraws.all(queues, line.get("length").asInt());
        line.set("random_to_partition", JSON.valueToTree(found));
    }

    static int[] ints(JsonNode list) {
        int[] all = new int[list.size()];
        for (int at = 0; at < all.length; at++) all[at] = list.get(at).asInt();
        return all;
    }

    static List<String> texts(JsonNode list) {
        List<String> all = new ArrayList<>();
        list.forEach(one -> all.add(one.asText()));
        return all;
    }

    static void clientAssignment(ObjectNode line) {
        Map<String, Integer> counts = new HashMap<>();
        line.get("partitions").properties().forEach(one -> counts.put(one.getKey(), one.getValue().asInt()));
        Map<String, Subscription> members = new HashMap<>();
        for (var member : line.get("members").properties()) {
            List<TopicPartition> owned = new ArrayList<>();
            for (JsonNode part : member.getValue().get("owned")) {
                owned.add(new TopicPartition(part.get(0).asText(), part.get(1).asInt()));
            }
            int generation = member.getValue().get("generation").asInt();
            List<String> topics = texts(member.getValue().get("topics"));
            Subscription subscription = line.get("assignor").asText().equals("sticky")
                ? sticky(topics, owned, generation)
                : new Subscription(topics, null, owned, generation, Optional.empty());
            subscription.setGroupInstanceId(instance(member.getValue()));
            members.put(member.getKey(), subscription);
        }
        order(line, members);
        ObjectNode shares = line.putObject("assignment");
        assignor(line.get("assignor").asText()).assign(counts, members).entrySet().stream()
            .sorted(Map.Entry.comparingByKey())
            .forEach(share -> {
                ArrayNode parts = shares.putArray(share.getKey());
                share.getValue().forEach(part -> parts.addArray().add(part.topic()).add(part.partition()));
            });
    }

    /** A member of the eager protocol gives up everything before it joins, and tells in its own data what it had. */
    @SuppressWarnings("removal") // There is no other way yet to say of which generation a group is.
    static Subscription sticky(List<String> topics, List<TopicPartition> owned, int generation) {
        StickyAssignor member = new StickyAssignor();
        if (generation >= 0 || !owned.isEmpty()) {
            var group = new ConsumerGroupMetadata("g", generation, "", Optional.empty());
            member.onAssignment(new ConsumerPartitionAssignor.Assignment(owned), group);
        }
        var data = member.subscriptionUserData(new HashSet<>(topics));
        return new Subscription(topics, data, List.of(), generation, Optional.empty());
    }

    static Optional<String> instance(JsonNode member) {
        return Optional.ofNullable(member.get("instance")).map(JsonNode::asText);
    }

    /** What is recorded of a hash map: the order in which it is gone through. */
    static void order(ObjectNode line, Map<String, ?> members) {
        line.set("member_iteration_order", JSON.valueToTree(members.keySet()));
    }

    static AbstractPartitionAssignor assignor(String name) {
        switch (name) {
            case "range": return new org.apache.kafka.clients.consumer.RangeAssignor();
            case "roundrobin": return new RoundRobinAssignor();
            case "sticky": return new StickyAssignor();
            default: return new CooperativeStickyAssignor();
        }
    }

    /** Ids that follow one another from a hash code on, as the recordings leave open: see crates/conform. */
    static final long FIRST_TOPIC_ID = 0x0018_0000L;

    static void serverAssignment(ObjectNode line) {
        Map<String, Uuid> ids = new HashMap<>();
        Map<Uuid, String> names = new HashMap<>();
        Map<Uuid, Integer> counts = new HashMap<>();
        // Topics that are gone have ids too: somebody may have partitions of them yet.
        Set<String> topics = new TreeSet<>();
        line.get("partitions").fieldNames().forEachRemaining(topics::add);
        Set<String> gone = new TreeSet<>();
        line.get("members").forEach(member -> member.get("current").fieldNames().forEachRemaining(gone::add));
        gone.removeAll(topics);
        List<String> all = new ArrayList<>(topics);
        all.addAll(gone);
        for (String topic : all) {
            Uuid id = new Uuid(0, FIRST_TOPIC_ID + ids.size());
            ids.put(topic, id);
            names.put(id, topic);
            if (topics.contains(topic)) counts.put(id, line.get("partitions").get(topic).asInt());
        }
        Map<String, MemberSubscriptionAndAssignmentImpl> members = new HashMap<>();
        Map<Uuid, Map<Integer, String>> holders = new HashMap<>();
        for (var member : line.get("members").properties()) {
            Map<Uuid, Set<Integer>> current = new HashMap<>();
            for (var share : member.getValue().get("current").properties()) {
                Uuid id = ids.get(share.getKey());
                List<Integer> numbers = new ArrayList<>();
                share.getValue().forEach(number -> numbers.add(number.asInt()));
                // As the coordinator reads it from its records, which gives the table its size.
                current.put(id, new HashSet<>(numbers));
                for (int number : numbers) {
                    holders.computeIfAbsent(id, none -> new HashMap<>()).put(number, member.getKey());
                }
            }
            Set<Uuid> subscribed = new HashSet<>();
            // A topic that does not exist has no id: the coordinator leaves it out.
            for (String topic : texts(member.getValue().get("topics"))) {
                if (topics.contains(topic)) subscribed.add(ids.get(topic));
            }
            members.put(member.getKey(), new MemberSubscriptionAndAssignmentImpl(
                Optional.empty(), instance(member.getValue()), subscribed, new Assignment(current)));
        }
        var type = line.get("homogeneous").asBoolean() ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS;
        order(line, members);
        ArrayNode topicOrder = line.putArray("topic_iteration_order");
        new HashSet<>(counts.keySet()).forEach(id -> topicOrder.add(names.get(id)));
        var spec = new GroupSpecImpl(members, type, holders);
        ObjectNode shares = line.putObject("assignment");
        var assigned = serverAssignor(line.get("assignor").asText()).assign(spec, new Topics(counts)).members();
        for (String member : new TreeSet<>(assigned.keySet())) {
            Map<String, Set<Integer>> share = new TreeMap<>();
            assigned.get(member).partitions().forEach((id, numbers) -> {
                if (!numbers.isEmpty()) share.put(names.get(id), new TreeSet<>(numbers));
            });
            shares.set(member, JSON.valueToTree(share));
        }
    }

    static PartitionAssignor serverAssignor(String name) {
        switch (name) {
            case "server-range": return new RangeAssignor();
            case "server-uniform": return new UniformAssignor();
            default: return new SimpleAssignor();
        }
    }

    /** Topics by their ids, of which nobody knows the racks. */
    record Topics(Map<Uuid, Integer> counts) implements SubscribedTopicDescriber {
        @Override
        public int numPartitions(Uuid topic) {
            return counts.getOrDefault(topic, -1);
        }

        @Override
        public Set<String> racksForPartition(Uuid topic, int partition) {
            return Set.of();
        }
    }

    static PartitionRegistration partition(JsonNode state) {
        int[] replicas = ints(state.get("replicas"));
        Uuid[] directories = new Uuid[replicas.length];
        java.util.Arrays.fill(directories, org.apache.kafka.common.DirectoryId.UNASSIGNED);
        return new PartitionRegistration.Builder()
            .setReplicas(replicas)
            .setDirectories(directories)
            .setIsr(ints(state.get("isr")))
            .setElr(ints(state.get("elr")))
            .setLastKnownElr(ints(state.get("last_known_elr")))
            .setLeader(state.get("leader").asInt())
            .setLeaderRecoveryState(LeaderRecoveryState.valueOf(state.get("recovery").asText()))
            .setLeaderEpoch(state.get("leader_epoch").asInt())
            .setPartitionEpoch(state.get("partition_epoch").asInt())
            .build();
    }

    static ObjectNode show(PartitionRegistration state) {
        ObjectNode shown = JSON.createObjectNode();
        shown.set("replicas", JSON.valueToTree(state.replicas));
        shown.set("isr", JSON.valueToTree(state.isr));
        shown.set("elr", JSON.valueToTree(state.elr));
        shown.set("last_known_elr", JSON.valueToTree(state.lastKnownElr));
        return shown.put("leader", state.leader).put("recovery", state.leaderRecoveryState.name())
            .put("leader_epoch", state.leaderEpoch).put("partition_epoch", state.partitionEpoch);
    }

    /** As the controller asks the class, by what happened. */
    static void election(ObjectNode line) {
        PartitionRegistration before = partition(line.get("before"));
        String event = line.get("event").asText();
        String name = event.replaceAll("\\(.*", "");
        String argument = event.contains("(") ? event.substring(name.length() + 1, event.length() - 1) : null;
        int broker = argument == null || argument.startsWith("[") ? -1 : Integer.parseInt(argument);
        boolean goes = name.equals("fence") || name.equals("unclean_shutdown");
        Set<Integer> active = new HashSet<>();
        line.get("active_after").forEach(one -> active.add(one.asInt()));
        var builder = new PartitionChangeBuilder(before, Uuid.ONE_UUID, 0,
            replica -> active.contains(replica) && !(goes && replica == broker),
            MetadataVersion.latestProduction(), line.get("min_isr").asInt());
        builder.setEligibleLeaderReplicasEnabled(line.get("elr_enabled").asBoolean());
        builder.setDefaultDirProvider(id -> org.apache.kafka.common.DirectoryId.UNASSIGNED);
        if (line.get("unclean_enabled").asBoolean()) builder.setElection(PartitionChangeBuilder.Election.UNCLEAN);
        switch (name) {
            case "fence", "unclean_shutdown" -> {
                List<Integer> isr = new ArrayList<>();
                for (int replica : before.isr) if (replica != broker) isr.add(replica);
                builder.setTargetIsr(isr);
                if (name.equals("unclean_shutdown")) builder.setUncleanShutdownReplicas(List.of(broker));
            }
            case "unfence" -> { }
            case "alter_partition" -> {
                List<Integer> isr = new ArrayList<>();
                for (String one : argument.replaceAll("[\\[\\]]", "").split(",")) isr.add(Integer.parseInt(one));
                builder.setTargetIsr(isr).setTargetLeaderRecoveryState(LeaderRecoveryState.RECOVERED);
            }
            case "elect_preferred" -> builder.setElection(PartitionChangeBuilder.Election.PREFERRED);
            case "elect_unclean" -> builder.setElection(PartitionChangeBuilder.Election.UNCLEAN);
            default -> throw new IllegalArgumentException(event);
        }
        PartitionRegistration after = builder.build()
            .map(record -> before.merge((PartitionChangeRecord) record.message())).orElse(before);
        line.set("after", show(after));
    }
}
