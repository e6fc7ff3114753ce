// Inputs for Kafka's classes by a seed: groups over rounds of rebalances, partitions over walks of events, keys and
// queues.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

class KafkaInputs {
    static final ObjectMapper JSON = new ObjectMapper();
    private final List<ObjectNode> made = new ArrayList<>();
    private final long seed;
    private final Random dice;

    private KafkaInputs(String kind, long seed) {
        this.seed = seed;
        dice = new Random(seed * 31 + kind.hashCode());
    }

    /** The inputs of one kind that a seed makes, each with its answer. */
    static List<ObjectNode> of(String kind, long seed) {
        var inputs = new KafkaInputs(kind, seed);
        switch (kind) {
            case "murmur2" -> inputs.key();
            case "adaptive-partitioner" -> inputs.queues();
            case "client-assignors" -> inputs.new Group(false).rounds();
            case "server-assignors" -> inputs.new Group(true).rounds();
            case "leader-election-elr" -> inputs.walk();
            default -> throw new IllegalArgumentException("no such kind: " + kind);
        }
        return inputs.made;
    }

    private boolean oneIn(int count) {
        return dice.nextInt(count) == 0;
    }

    private <T> T any(List<T> all) {
        return all.get(dice.nextInt(all.size()));
    }

    private void key() {
        byte[] key = new byte[dice.nextInt(200)];
        dice.nextBytes(key);
        ObjectNode line = JSON.createObjectNode().put("key_hex", HexFormat.of().formatHex(key));
        made.add(KafkaClasses.answer(line));
    }

    private void queues() {
        int count = 1 + dice.nextInt(12);
        int most = 1 + dice.nextInt(oneIn(2) ? 6 : 40);
        ObjectNode line = JSON.createObjectNode();
        ArrayNode sizes = line.putArray("queue_sizes");
        for (int at = 0; at < count; at++) sizes.add(dice.nextInt(most));
        line.put("length", oneIn(2) ? count : dice.nextInt(count + 1));
        made.add(KafkaClasses.answer(line));
    }

    /** What a member says when it joins, or what the coordinator knows of it. */
    private static class Member {
        List<String> topics;
        String instance;
        JsonNode has;
        int generation = -1;
    }

    /** A group that rebalances again and again, as things change. */
    private class Group {
        final boolean server;
        final long ofSeed = seed;
        final boolean wide = dice.nextBoolean();
        final boolean uniform = dice.nextBoolean();
        final boolean named = oneIn(3);
        final boolean wild = wide && oneIn(3);
        final String letter;
        final Map<String, Integer> topics = new TreeMap<>();
        final Map<String, Member> members = new TreeMap<>();
        List<String> common;
        int joined;
        int names;

        Group(boolean server) {
            this.server = server;
            letter = server ? "m" : "C";
        }

        void rounds() {
            int count = wide ? 1 + dice.nextInt(8) : 1 + dice.nextInt(3);
            for (int at = 0; at < count; at++) topics.put("t" + at, partitions());
            List<String> assignors = server
                ? List.of("server-range", "server-uniform", "share-simple")
                : List.of("range", "roundrobin", "sticky", "cooperative-sticky");
            int size = 1 + dice.nextInt(wide ? 12 : 5);
            Map<String, Integer> first = new TreeMap<>(topics);
            for (String assignor : assignors) {
                topics.clear();
                topics.putAll(first);
                members.clear();
                joined = 0;
                names = first.size();
                common = new ArrayList<>(topics.keySet());
                for (int at = 0; at < size; at++) join();
                int rounds = assignor.equals("range") || assignor.equals("roundrobin") ? 1 : wide ? 6 : 4;
                for (int round = 0; round < rounds; round++) {
                    if (round > 0) happen();
                    if (!rebalance(assignor, round)) break;
                }
            }
        }

        int partitions() {
            return 1 + dice.nextInt(wide ? 20 : 9);
        }

        List<String> subscription() {
            if (uniform && !(wild && oneIn(8))) return common;
            List<String> some = new ArrayList<>();
            for (String topic : topics.keySet()) if (dice.nextBoolean()) some.add(topic);
            if (wide && oneIn(6)) some.add("t" + dice.nextInt(10));
            if (some.isEmpty() && !(wide && oneIn(3))) some.add(any(new ArrayList<>(topics.keySet())));
            return new ArrayList<>(new TreeSet<>(some));
        }

        String join() {
            Member member = new Member();
            member.topics = subscription();
            if (named && (!wide || dice.nextBoolean())) member.instance = "i" + (99 - joined);
            String id = wide && oneIn(2) ? letter + "-" + Long.toString(dice.nextLong() >>> 1, 36) : letter + joined;
            joined += 1;
            members.put(id, member);
            return id;
        }

        /** Between two rebalances: members come and go, topics grow, appear and go. */
        void happen() {
            List<String> ids = new ArrayList<>(members.keySet());
            if (ids.size() > 1 && oneIn(3)) members.remove(any(ids));
            if (oneIn(3) && members.size() < 12) join();
            if (!wide) return;
            for (int at = dice.nextInt(5); at > 3 && members.size() < 12; at--) join();
            List<Member> all = new ArrayList<>(members.values());
            if (oneIn(4)) any(all).topics = subscription();
            String topic = any(new ArrayList<>(topics.keySet()));
            if (oneIn(5)) topics.computeIfPresent(topic, (name, count) -> Math.min(20, count + 1 + dice.nextInt(4)));
            if (oneIn(8) && topics.size() > 1) topics.remove(topic);
            if (oneIn(8) && topics.size() < 8) topics.put(appearing(), partitions());
            if (uniform && oneIn(6)) {
                common = new ArrayList<>(topics.keySet());
                all.forEach(member -> member.topics = common);
            }
            if (server) replace(); else if (wild) confuse(all);
        }

        /** On the server a topic that was deleted comes back as another one: it has another id. */
        String appearing() {
            names += 1;
            return "t" + (server ? names - 1 : dice.nextInt(8));
        }

        /** A static member comes back under another id, and has what it had. */
        void replace() {
            for (String id : new ArrayList<>(members.keySet())) {
                Member old = members.get(id);
                if (old.instance == null || !oneIn(8)) continue;
                members.remove(id);
                Member back = members.get(join());
                back.instance = old.instance;
                back.has = old.has;
            }
        }

        /** Claims that contradict one another: of two generations, of the same, of none. */
        void confuse(List<Member> all) {
            Member one = any(all);
            Member other = any(all);
            if (one.has == null || other.has == null) return;
            if (oneIn(3)) {
                ArrayNode more = one.has.deepCopy();
                other.has.forEach(part -> {
                    boolean known = false;
                    for (JsonNode mine : more) known |= mine.equals(part);
                    if (!known && dice.nextBoolean()) more.add(part);
                });
                one.has = more;
            }
            if (oneIn(4)) one.generation = Math.max(-1, one.generation - 1 - dice.nextInt(2));
            if (oneIn(8)) one.generation = -1;
        }

        /** False if the class cannot tell: some claims are too wild for it. */
        boolean rebalance(String assignor, int round) {
            ObjectNode line = JSON.createObjectNode().put("seed", ofSeed).put("assignor", assignor).put("round", round);
            Set<Set<String>> different = new HashSet<>();
            members.values().forEach(member -> different.add(new TreeSet<>(member.topics)));
            if (server) line.put("homogeneous", different.size() == 1);
            line.set("partitions", JSON.valueToTree(topics));
            line.putArray("member_iteration_order");
            if (server) line.putArray("topic_iteration_order");
            ObjectNode shown = line.putObject("members");
            members.forEach((id, member) -> {
                ObjectNode one = shown.putObject(id);
                one.set("topics", JSON.valueToTree(member.topics));
                if (member.instance != null) one.put("instance", member.instance);
                JsonNode none = server ? JSON.createObjectNode() : JSON.createArrayNode();
                one.set(server ? "current" : "owned", member.has == null ? none : member.has);
                if (!server) one.put("generation", member.generation);
            });
            try {
                made.add(KafkaClasses.answer(line));
            } catch (IllegalStateException | NullPointerException | IndexOutOfBoundsException thrown) {
                return false;
            }
            members.forEach((id, member) -> {
                // Who is left behind keeps what it had, from the generation that it had it in.
                if (wild && !server && member.has != null && oneIn(6)) return;
                member.has = line.get("assignment").get(id);
                member.generation = round + 1;
            });
            return true;
        }
    }

    /** A partition to which one thing happens after the other. */
    private void walk() {
        boolean wide = dice.nextBoolean();
        int brokers = wide ? 1 + dice.nextInt(9) : 5;
        List<Integer> all = new ArrayList<>();
        for (int id = 0; id < brokers; id++) all.add(id);
        Collections.shuffle(all, dice);
        int count = wide ? 1 + dice.nextInt(7) : 2 + dice.nextInt(3);
        List<Integer> replicas = new ArrayList<>(all.subList(0, Math.min(brokers, count)));
        TreeSet<Integer> active = new TreeSet<>(all);
        ObjectNode state = JSON.createObjectNode();
        state.set("replicas", JSON.valueToTree(replicas));
        state.set("isr", JSON.valueToTree(replicas));
        state.putArray("elr");
        state.putArray("last_known_elr");
        state.put("leader", replicas.get(0)).put("recovery", "RECOVERED");
        state.put("leader_epoch", 0).put("partition_epoch", 0);
        boolean elr = !oneIn(3);
        boolean unclean = oneIn(3);
        int minIsr = 1 + dice.nextInt(wide ? 5 : 3);
        for (int step = 0; step < (wide ? 40 : 16); step++) {
            String event = event(state, replicas, active);
            ObjectNode line = JSON.createObjectNode().put("seed", seed).put("step", step);
            line.put("elr_enabled", elr).put("unclean_enabled", unclean).put("min_isr", minIsr);
            line.set("active_after", JSON.valueToTree(active));
            line.put("event", event);
            line.set("before", state);
            made.add(KafkaClasses.answer(line));
            state = (ObjectNode) line.get("after");
            if (wide && oneIn(12)) unclean = !unclean;
            if (wide && oneIn(12)) minIsr = 1 + dice.nextInt(5);
        }
    }

    /** The next event, and what it does to the brokers at work. */
    private String event(JsonNode state, List<Integer> replicas, TreeSet<Integer> active) {
        int broker = any(replicas);
        switch (dice.nextInt(9)) {
            case 0, 1, 2:
                active.remove(broker);
                return "fence(" + broker + ")";
            case 3, 4:
                active.add(broker);
                return "unfence(" + broker + ")";
            case 5:
                active.remove(broker);
                return "unclean_shutdown(" + broker + ")";
            case 6, 7:
                int leader = state.get("leader").asInt();
                if (leader < 0) return "elect_preferred";
                List<Integer> isr = new ArrayList<>();
                for (int replica : replicas) {
                    if (replica == leader || active.contains(replica) && !oneIn(3)) isr.add(replica);
                }
                if (oneIn(2)) Collections.shuffle(isr, dice);
                return "alter_partition(" + JSON.valueToTree(isr) + ")";
            default:
                return oneIn(2) ? "elect_unclean" : "elect_preferred";
        }
    }
}
