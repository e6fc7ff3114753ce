package org.apache.kafka.clients.producer.internals;

import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.utils.LogContext;

/** A partitioner of which the random number is told: only a class of Kafka's own package may say it. */
public class KafkaDraws extends BuiltInPartitioner {
    private final int draw;

    private KafkaDraws(int[] queues, int length, int draw) {
        super(new LogContext(), "t", 1);
        this.draw = draw;
        int[] partitions = new int[queues.length];
        for (int at = 0; at < partitions.length; at++) partitions[at] = at;
        updatePartitionLoadStats(queues.clone(), partitions, length);
    }

    @Override
    int randomPartition() {
        return draw;
    }

    private boolean hasStatistics() {
        try {
            var field = BuiltInPartitioner.class.getDeclaredField("partitionLoadStats");
            field.setAccessible(true);
            return field.get(this) != null;
        } catch (ReflectiveOperationException other) {
            throw new IllegalStateException(other);
        }
    }

    /** The partition that each random number leads to; null if no statistics are gone by. */
    public static List<Integer> all(int[] queues, int length) {
        KafkaDraws first = new KafkaDraws(queues, length, 0);
        if (!first.hasStatistics()) return null;
        List<Integer> found = new ArrayList<>();
        for (int draw = 0; draw < first.loadStatsRangeEnd(); draw++) {
            found.add(new KafkaDraws(queues, length, draw).peekCurrentPartitionInfo(Cluster.empty()).partition());
        }
        return found;
    }
}
