import com.google.protobuf.Int64Value;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.statefun.flink.io.datastream.SourceFunctionSpec;
import org.apache.flink.statefun.sdk.Context;
import org.apache.flink.statefun.sdk.FunctionType;
import org.apache.flink.statefun.sdk.StatefulFunction;
import org.apache.flink.statefun.sdk.annotations.Persisted;
import org.apache.flink.statefun.sdk.io.IngressIdentifier;
import org.apache.flink.statefun.sdk.spi.StatefulFunctionModule;
import org.apache.flink.statefun.sdk.state.PersistedValue;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.functions.source.RichParallelSourceFunction;

/**
 * The functions of bench/embedded/functions.c once more, for Apache StateFun.
 *
 * <p>Configuration: function (ring, random, counted, update), keys (of update), tokens, rounds, payload (protobuf, object
 * or bytes: what statefun.message.serializer takes), counts (a file: {@link Counts}).
 *
 * <p>StateFun passes on all messages that stay on a worker before it does anything else. While tokens go around on one
 * worker for ever, no checkpoint is completed. With rounds they come to an end, after 1 to 1024 hops in the ring and 1000
 * or so elsewhere; the ingress starts others, and a checkpoint may come between. Without, it starts them once.
 */
public final class Functions implements StatefulFunctionModule {
  private static final int ADDRESSES = 1024;
  private static final String[] IDS = new String[ADDRESSES];
  private static final FunctionType START = new FunctionType("bench", "start");
  private static final IngressIdentifier<Object> NUMBERS =
      new IngressIdentifier<>(Object.class, "bench", "numbers");

  /**
   * The rounds that the ingress may be ahead. What it has sent is before the next checkpoint, and a round takes
   * milliseconds: what Flink's buffers hold of them would take hours.
   */
  private static final Semaphore ROUNDS = new Semaphore(64);

  static {
    for (int i = 0; i < ADDRESSES; i++) {
      IDS[i] = Integer.toString(i);
    }
  }

  /** A number as a message. */
  private interface Payload extends Serializable {
    Object of(long number);

    long number(Object message);

    static Payload named(String name) {
      switch (name) {
        case "protobuf":
          return new ProtobufPayload();
        case "object":
          return new ObjectPayload();
        case "bytes":
          return new BytesPayload();
        default:
          throw new IllegalArgumentException("payload " + name);
      }
    }
  }

  private static final class ProtobufPayload implements Payload {
    private static final long serialVersionUID = 1;

    @Override
    public Object of(long number) {
      return Int64Value.of(number);
    }

    @Override
    public long number(Object message) {
      return ((Int64Value) message).getValue();
    }
  }

  /** Not a Long: objects of Java's own classes are copied on each hop, those of the function's class loader are not. */
  public static final class Token {
    private long number;
  }

  private static final class ObjectPayload implements Payload {
    private static final long serialVersionUID = 1;

    @Override
    public Object of(long number) {
      Token token = new Token();
      token.number = number;
      return token;
    }

    @Override
    public long number(Object message) {
      return ((Token) message).number;
    }
  }

  private static final class BytesPayload implements Payload {
    private static final long serialVersionUID = 1;
    private static final VarHandle LONG =
        MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    @Override
    public Object of(long number) {
      byte[] bytes = new byte[Long.BYTES];
      LONG.set(bytes, 0, number);
      return bytes;
    }

    @Override
    public long number(Object message) {
      return (long) LONG.get((byte[]) message, 0);
    }
  }

  /**
   * How many messages each function of each worker has taken: numbers in a file that others read, a cache line apart. A
   * counter has one writer, so that counting costs an addition.
   */
  private static final class Counts {
    private static final int APART = 64;
    private static final AtomicInteger USED = new AtomicInteger();
    private final MappedByteBuffer file;
    private final int at = APART * USED.getAndIncrement();
    private long taken;

    Counts(String path) {
      try (FileChannel channel =
          FileChannel.open(Path.of(path), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
        file = channel.map(FileChannel.MapMode.READ_WRITE, 0, channel.size());
        file.order(ByteOrder.LITTLE_ENDIAN);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    void add() {
      file.putLong(at, ++taken);
    }
  }

  /** What each worker's functions know. */
  private static final class Setup {
    final FunctionType type;
    final Payload payload;
    final int tokens;
    final long keys;
    final boolean rounds;
    final String counts;

    Setup(Map<String, String> configuration) {
      type = new FunctionType("bench", configuration.get("function"));
      payload = Payload.named(configuration.get("payload"));
      tokens = Integer.parseInt(configuration.getOrDefault("tokens", "64"));
      keys = Long.parseLong(configuration.getOrDefault("keys", "10000"));
      rounds = configuration.containsKey("rounds");
      counts = configuration.get("counts");
    }

    StatefulFunction function() {
      switch (type.name()) {
        case "ring":
          return new Ring(this);
        case "random":
          return new Randomly(this);
        case "counted":
          return new Counted(this);
        case "update":
          return new Update(this);
        default:
          throw new IllegalArgumentException("function " + type.name());
      }
    }
  }

  /** Sends tokens on their way. */
  private static final class Start implements StatefulFunction {
    private final Setup setup;

    Start(Setup setup) {
      this.setup = setup;
    }

    @Override
    public void invoke(Context context, Object message) {
      ROUNDS.release();
      int apart = Math.max(1, ADDRESSES / setup.tokens);
      for (int i = 0; i < setup.tokens; i++) {
        context.send(setup.type, IDS[i * apart % ADDRESSES], setup.payload.of(i * apart + 1));
      }
    }
  }

  private static final class Ring implements StatefulFunction {
    private final Setup setup;
    private final Counts counts;

    Ring(Setup setup) {
      this.setup = setup;
      this.counts = new Counts(setup.counts);
    }

    @Override
    public void invoke(Context context, Object message) {
      counts.add();
      long at = setup.payload.number(message);
      if (at != 0 || !setup.rounds) {
        context.send(setup.type, IDS[(int) (at % ADDRESSES)], setup.payload.of((at + 1) % ADDRESSES));
      }
    }
  }

  /** A token carries a random state of its own. */
  private static void hop(Context context, Setup setup, Object message) {
    long next = setup.payload.number(message);
    next ^= next << 13;
    next ^= next >>> 7;
    next ^= next << 17;
    if ((next & 1023) != 0 || !setup.rounds) {
      context.send(setup.type, IDS[(int) ((next >>> 20) % ADDRESSES)], setup.payload.of(next));
    }
  }

  private static final class Randomly implements StatefulFunction {
    private final Setup setup;
    private final Counts counts;

    Randomly(Setup setup) {
      this.setup = setup;
      this.counts = new Counts(setup.counts);
    }

    @Override
    public void invoke(Context context, Object message) {
      counts.add();
      hop(context, setup, message);
    }
  }

  private static final class Counted implements StatefulFunction {
    @Persisted private final PersistedValue<Long> count = PersistedValue.of("count", Long.class);
    private final Setup setup;
    private final Counts counts;

    Counted(Setup setup) {
      this.setup = setup;
      this.counts = new Counts(setup.counts);
    }

    @Override
    public void invoke(Context context, Object message) {
      counts.add();
      count.set(count.getOrDefault(0L) + 1);
      hop(context, setup, message);
    }
  }

  private static final class Update implements StatefulFunction {
    @Persisted private final PersistedValue<Long> count = PersistedValue.of("count", Long.class);
    private final Counts counts;

    Update(Setup setup) {
      this.counts = new Counts(setup.counts);
    }

    @Override
    public void invoke(Context context, Object message) {
      counts.add();
      count.set(count.getOrDefault(0L) + 1);
    }
  }

  /** The ingress: numbers from its position on. Where there are several, each has its share. */
  private static final class Numbers extends RichParallelSourceFunction<Object> implements CheckpointedFunction {
    private static final long serialVersionUID = 1;
    private final Payload payload;
    private final long limit;
    private final boolean rounds;
    private volatile boolean cancelled;
    private transient long position;
    private transient ListState<Long> kept;

    Numbers(Payload payload, long limit, boolean rounds) {
      this.payload = payload;
      this.limit = limit;
      this.rounds = rounds;
    }

    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
      kept = context.getOperatorStateStore().getListState(new ListStateDescriptor<>("position", Long.class));
      position = getRuntimeContext().getIndexOfThisSubtask();
      for (long last : kept.get()) {
        position = last;
      }
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) throws Exception {
      kept.update(List.of(position));
    }

    @Override
    public void run(SourceContext<Object> context) throws Exception {
      int step = getRuntimeContext().getNumberOfParallelSubtasks();
      while (!cancelled && position < limit) {
        if (rounds) {
          ROUNDS.acquire();
        }
        synchronized (context.getCheckpointLock()) {
          context.collect(payload.of(position));
          position += step;
        }
      }
      while (!cancelled) {
        Thread.sleep(10); // a source that has ended is another thing
      }
    }

    @Override
    public void cancel() {
      cancelled = true;
    }
  }

  @Override
  public void configure(Map<String, String> configuration, Binder binder) {
    Setup setup = new Setup(configuration);
    Payload payload = setup.payload;
    boolean update = setup.type.name().equals("update");
    binder.bindFunctionProvider(setup.type, type -> setup.function());
    binder.bindFunctionProvider(START, type -> new Start(setup));
    binder.bindIngress(
        new SourceFunctionSpec<>(
            NUMBERS, new Numbers(payload, update || setup.rounds ? Long.MAX_VALUE : 1, setup.rounds)));
    binder.bindIngressRouter(
        NUMBERS,
        (message, downstream) -> {
          if (update) {
            String id = Long.toString(payload.number(message) * 2654435761L % setup.keys);
            downstream.forward(setup.type, id, message);
          } else {
            downstream.forward(START, "0", message);
          }
        });
  }
}
