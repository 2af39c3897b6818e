// The application of ../README.md with the official Java SDK, behind the HTTP server of the JDK.
//
//   java -cp CLASSES:JARS Functions --port PORT [--tolerant]

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.annotations.SerializedName;
import com.google.protobuf.Duration;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.flink.statefun.sdk.java.Address;
import org.apache.flink.statefun.sdk.java.Context;
import org.apache.flink.statefun.sdk.java.StatefulFunction;
import org.apache.flink.statefun.sdk.java.StatefulFunctionSpec;
import org.apache.flink.statefun.sdk.java.StatefulFunctions;
import org.apache.flink.statefun.sdk.java.TypeName;
import org.apache.flink.statefun.sdk.java.ValueSpec;
import org.apache.flink.statefun.sdk.java.handler.RequestReplyHandler;
import org.apache.flink.statefun.sdk.java.io.KafkaEgressMessage;
import org.apache.flink.statefun.sdk.java.io.KinesisEgressMessage;
import org.apache.flink.statefun.sdk.java.message.EgressMessageBuilder;
import org.apache.flink.statefun.sdk.java.message.Message;
import org.apache.flink.statefun.sdk.java.message.MessageBuilder;
import org.apache.flink.statefun.sdk.java.slice.Slice;
import org.apache.flink.statefun.sdk.java.slice.Slices;
import org.apache.flink.statefun.sdk.java.types.SimpleType;
import org.apache.flink.statefun.sdk.java.types.Type;

public final class Functions {
  static final Gson GSON = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();

  static final Type<String[]> WORDS =
      SimpleType.simpleTypeFrom(
          name("sdk.types/words"),
          words -> utf8(String.join(" ", words)),
          octets -> new String(octets, StandardCharsets.UTF_8).split(" "));
  static final Type<Duration> DURATION =
      SimpleType.simpleImmutableTypeFrom(
          name("type.googleapis.com/google.protobuf.Duration"),
          Duration::toByteArray,
          Duration::parseFrom);
  static final Type<Commands> COMMANDS = json("sdk.types/commands", Commands.class);
  static final Type<Record> RECORD = json("io.statefun.playground/EgressRecord", Record.class);

  static final ValueSpec<Integer> AN_INT = ValueSpec.named("an_int").withIntType();
  static final ValueSpec<Long> A_LONG = ValueSpec.named("a_long").withLongType();
  static final ValueSpec<Float> A_FLOAT = ValueSpec.named("a_float").withFloatType();
  static final ValueSpec<Double> A_DOUBLE = ValueSpec.named("a_double").withDoubleType();
  static final ValueSpec<Boolean> A_BOOL = ValueSpec.named("a_bool").withBooleanType();
  static final ValueSpec<String> A_STRING = ValueSpec.named("a_string").withUtf8StringType();
  static final ValueSpec<String[]> SOME_WORDS = ValueSpec.named("some_words").withCustomType(WORDS);
  static final ValueSpec<Duration> A_DURATION =
      ValueSpec.named("a_duration").withCustomType(DURATION);
  static final ValueSpec<?>[] STATES = {
    AN_INT, A_LONG, A_FLOAT, A_DOUBLE, A_BOOL, A_STRING, SOME_WORDS, A_DURATION
  };

  static final java.time.Duration SECOND = java.time.Duration.ofSeconds(1);
  static final java.time.Duration DAY = java.time.Duration.ofDays(1);
  static final List<ValueSpec<Integer>> EXPIRING =
      List.of(
          ValueSpec.named("always").withIntType(),
          ValueSpec.named("day_written").thatExpireAfterWrite(DAY).withIntType(),
          ValueSpec.named("day_called").thatExpiresAfterCall(DAY).withIntType(),
          ValueSpec.named("second_written").thatExpireAfterWrite(SECOND).withIntType(),
          ValueSpec.named("second_called").thatExpiresAfterCall(SECOND).withIntType());

  static final ValueSpec<Integer> SUM = ValueSpec.named("sum").withIntType();
  static final ValueSpec<Integer> CALLS = ValueSpec.named("calls").withIntType();
  static final TypeName KAFKA = name("sdk/kafka");

  static boolean tolerant;

  static final class Record {
    String topic;
    String payload;
  }

  static final class Commands {
    @SerializedName("do")
    List<Command> list;
  }

  static final class Command {
    String op;
    int n;
    String to;

    @SerializedName("do")
    List<Command> list;

    Long after;
    String token;
    String name;
    int times;
    String text;
  }

  static TypeName name(String typename) {
    return TypeName.typeNameFromString(typename);
  }

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static <T> Type<T> json(String typename, Class<T> of) {
    return SimpleType.simpleTypeFrom(
        name(typename),
        value -> utf8(GSON.toJson(value)),
        octets -> GSON.fromJson(new String(octets, StandardCharsets.UTF_8), of));
  }

  static void report(Context context, String field, Object value) {
    Map<String, Object> fields = new HashMap<>();
    fields.put(field, value);
    report(context, fields);
  }

  static void report(Context context, Map<String, Object> fields) {
    fields.put("id", context.self().id());
    Record record = new Record();
    record.topic = "out";
    record.payload = GSON.toJson(fields);
    context.send(
        EgressMessageBuilder.forEgress(name("io.statefun.playground/egress"))
            .withCustomType(RECORD, record)
            .build());
  }

  static String callerOf(Context context) {
    return context
        .caller()
        .map(caller -> caller.type().asTypeNameString() + "/" + caller.id())
        .orElse(null);
  }

  static CompletableFuture<Void> types(Context context, Message message) {
    for (ValueSpec<?> state : STATES) {
      if (message.is(state.type())) {
        keep(context, message, state);
        return context.done();
      }
    }
    if (!tolerant) {
      throw new IllegalArgumentException("nothing is known of " + message.valueTypeName());
    }
    report(context, "unreadable", message.valueTypeName().asTypeNameString());
    return context.done();
  }

  static <T> void keep(Context context, Message message, ValueSpec<T> state) {
    Address mirror = new Address(name("sdk/mirror"), context.self().id());
    T value = message.as(state.type());
    context.storage().get(state).ifPresent(old -> send(context, mirror, state.type(), old));
    context.storage().set(state, value);
    send(context, mirror, state.type(), value);
  }

  static <T> void send(Context context, Address target, Type<T> type, T value) {
    context.send(MessageBuilder.forAddress(target).withCustomType(type, value).build());
  }

  static CompletableFuture<Void> mirror(Context context, Message message) {
    StringBuilder hex = new StringBuilder();
    for (byte octet : message.rawValue().toByteArray()) {
      hex.append(String.format("%02x", octet));
    }
    Map<String, Object> fields = new HashMap<>();
    fields.put("type", message.valueTypeName().asTypeNameString());
    fields.put("hex", hex.toString());
    fields.put("caller", callerOf(context));
    report(context, fields);
    return context.done();
  }

  static CompletableFuture<Void> forwarder(Context context, Message message) {
    context.send(
        MessageBuilder.fromMessage(message)
            .withTargetAddress(name("sdk/mirror"), context.self().id())
            .build());
    return context.done();
  }

  static CompletableFuture<Void> expiring(Context context, Message message) {
    String word = message.asUtf8String();
    if (word.equals("set")) {
      EXPIRING.forEach(state -> context.storage().set(state, 1));
    }
    if (word.equals("delete")) {
      context.storage().remove(EXPIRING.get(0));
    }
    List<String> present = new ArrayList<>();
    for (ValueSpec<Integer> state : EXPIRING) {
      context.storage().get(state).ifPresent(value -> present.add(state.name()));
    }
    report(context, "present", present);
    return context.done();
  }

  static final Map<String, Integer> FAILURES = new HashMap<>();

  static synchronized boolean fails(Command command) {
    return FAILURES.merge(command.name, 1, Integer::sum) <= command.times;
  }

  static void run(Context context, Command command) {
    switch (command.op) {
      case "add":
        context.storage().set(SUM, context.storage().get(SUM).orElse(0) + command.n);
        break;
      case "send":
        send(context, command);
        break;
      case "cancel":
        context.cancelDelayedMessage(command.token);
        break;
      case "fail":
        if (fails(command)) {
          throw new IllegalStateException(command.name);
        }
        break;
      case "emit":
        report(context, "emit", command.text);
        break;
      case "report":
        Map<String, Object> fields = new HashMap<>();
        fields.put("sum", context.storage().get(SUM).orElse(0));
        fields.put("calls", context.storage().get(CALLS).orElse(0));
        fields.put("caller", callerOf(context));
        report(context, fields);
        break;
      default:
        throw new IllegalArgumentException(command.op);
    }
  }

  static void send(Context context, Command command) {
    Commands commands = new Commands();
    commands.list = command.list;
    Message message =
        MessageBuilder.forAddress(name("sdk/commands"), command.to)
            .withCustomType(COMMANDS, commands)
            .build();
    if (command.after == null) {
      context.send(message);
    } else if (command.token == null) {
      context.sendAfter(java.time.Duration.ofMillis(command.after), message);
    } else {
      context.sendAfter(java.time.Duration.ofMillis(command.after), command.token, message);
    }
  }

  static CompletableFuture<Void> commands(Context context, Message message) {
    context.storage().set(CALLS, context.storage().get(CALLS).orElse(0) + 1);
    message.as(COMMANDS).list.forEach(command -> run(context, command));
    return context.done();
  }

  static final List<CompletableFuture<Void>> WAITING = new ArrayList<>();

  static CompletableFuture<Void> meeting(Context context, Message message) {
    if (message.asUtf8String().equals("alone")) {
      report(context, "met", 1);
      return context.done();
    }
    CompletableFuture<Void> here = new CompletableFuture<>();
    CompletableFuture<Void> met =
        here.orTimeout(30, TimeUnit.SECONDS).thenRun(() -> report(context, "met", 3));
    List<CompletableFuture<Void>> everybody = List.of();
    synchronized (WAITING) {
      WAITING.add(here);
      if (WAITING.size() == 3) {
        everybody = List.copyOf(WAITING);
        WAITING.clear();
      }
    }
    everybody.forEach(somebody -> somebody.complete(null));
    return met;
  }

  static CompletableFuture<Void> egresses(Context context, Message message) {
    String topic = message.asUtf8String();
    String id = context.self().id();
    context.send(record(topic).withUtf8Key(id).withUtf8Value("text").build());
    context.send(record(topic).withKey(utf8(id)).withValue(new byte[] {0, (byte) 0xff}).build());
    context.send(record(topic).withValue(WORDS, new String[] {"no", "key"}).build());
    context.send(
        KinesisEgressMessage.forEgress(name("sdk/kinesis"))
            .withStream(topic)
            .withUtf8PartitionKey(id)
            .withUtf8Value("text")
            .withUtf8ExplicitHashKey("123")
            .build());
    return context.done();
  }

  static KafkaEgressMessage.Builder record(String topic) {
    return KafkaEgressMessage.forEgress(KAFKA).withTopic(topic);
  }

  static StatefulFunctionSpec spec(
      String typename, StatefulFunction function, ValueSpec<?>... states) {
    return StatefulFunctionSpec.builder(name(typename))
        .withValueSpecs(states)
        .withSupplier(() -> function)
        .build();
  }

  /** A handler that knows these functions and no other. */
  static void serve(HttpServer server, String path, StatefulFunctionSpec... specs) {
    StatefulFunctions functions = new StatefulFunctions();
    for (StatefulFunctionSpec spec : specs) {
      functions.withStatefulFunction(spec);
    }
    RequestReplyHandler handler = functions.requestReplyHandler();
    server.createContext(
        path,
        exchange ->
            handler
                .handle(Slices.wrap(exchange.getRequestBody().readAllBytes()))
                .whenComplete((reply, error) -> answer(exchange, reply, error)));
  }

  static void answer(HttpExchange exchange, Slice reply, Throwable error) {
    try (exchange) {
      byte[] body = error == null ? reply.toByteArray() : new byte[0];
      exchange.getResponseHeaders().set("Content-Type", "application/octet-stream");
      exchange.sendResponseHeaders(error == null ? 200 : 500, body.length == 0 ? -1 : body.length);
      exchange.getResponseBody().write(body);
    } catch (IOException gone) {
      System.err.println("the runtime hung up: " + gone);
    }
  }

  public static void main(String[] arguments) throws IOException {
    List<String> flags = List.of(arguments);
    tolerant = flags.contains("--tolerant");
    // Head and body are two writes: without this the second waits for the peer's acknowledgement.
    System.setProperty("sun.net.httpserver.nodelay", "true");
    int port = Integer.parseInt(flags.get(flags.indexOf("--port") + 1));
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
    server.setExecutor(Executors.newFixedThreadPool(4));
    serve(
        server,
        "/statefun",
        spec("sdk/types", Functions::types, STATES),
        spec("sdk/mirror", Functions::mirror),
        spec("sdk/forwarder", Functions::forwarder),
        spec("sdk/expiring", Functions::expiring, EXPIRING.toArray(new ValueSpec<?>[0])),
        spec("sdk/commands", Functions::commands, SUM, CALLS),
        spec("sdk/meeting", Functions::meeting),
        spec("sdk/egresses", Functions::egresses));
    for (String name : List.of("one", "two")) {
      String typename = "path/" + name;
      StatefulFunction function =
          (context, message) -> {
            report(context, "function", typename);
            return context.done();
          };
      serve(server, "/functions/" + name, spec(typename, function));
    }
    server.start();
  }

  private Functions() {}
}
