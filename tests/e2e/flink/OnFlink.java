import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.JobListener;
import org.apache.flink.statefun.flink.core.StatefulFunctionsConfig;
import org.apache.flink.statefun.flink.core.StatefulFunctionsJob;
import org.apache.flink.statefun.flink.core.StatefulFunctionsUniverse;
import org.apache.flink.statefun.flink.core.StatefulFunctionsUniverseProvider;
import org.apache.flink.statefun.flink.core.spi.Modules;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Apache Flink Stateful Functions as released, on a Flink cluster within this process.
 *
 * <p>Arguments: a module.yaml, a directory for checkpoints, and perhaps more of Flink's settings, as KEY=VALUE. Prints
 * "running" when the job runs. SIGTERM cancels it; the exit code is then 0.
 */
public final class OnFlink {
  /** Finds what an installed StateFun would find: its own modules on the class path, and the module.yaml. */
  private static final class Provider implements StatefulFunctionsUniverseProvider {
    private static final long serialVersionUID = 1;

    @Override
    public StatefulFunctionsUniverse get(ClassLoader loader, StatefulFunctionsConfig config) {
      return Modules.loadFromClassPath(config).createStatefulFunctionsUniverse();
    }
  }

  /** Tells when the job runs, and cancels it when this process is to end. */
  private static final class Watch implements JobListener {
    @Override
    public void onJobSubmitted(JobClient job, Throwable failure) {
      if (job == null) {
        return; // whoever submitted it is told as well
      }
      Runtime.getRuntime().addShutdownHook(new Thread(() -> cancel(job)));
      CompletableFuture.runAsync(() -> tellWhenItRuns(job));
    }

    @Override
    public void onJobExecuted(JobExecutionResult result, Throwable failure) {}

    private static void cancel(JobClient job) {
      try {
        job.cancel().get(10, TimeUnit.SECONDS);
        job.getJobExecutionResult().handle((result, cancelled) -> 0).get(10, TimeUnit.SECONDS);
      } catch (Exception e) {
        return; // the exit code stays what it was
      }
      Runtime.getRuntime().halt(0);
    }

    private static void tellWhenItRuns(JobClient job) {
      try {
        while (job.getJobStatus().join() != JobStatus.RUNNING) {
          Thread.sleep(20);
        }
        System.out.println("running");
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static Configuration settings(String[] arguments) {
    Configuration settings = new Configuration();
    // As in StateFun's image and chart, but for shorter pauses, and the state on the heap: RocksDB is another 41 MB.
    settings.setString("restart-strategy", "fixed-delay");
    settings.setString("restart-strategy.fixed-delay.attempts", "2147483647");
    settings.setString("restart-strategy.fixed-delay.delay", "200 ms");
    settings.setString("execution.checkpointing.interval", "500 ms");
    settings.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
    settings.setString("execution.checkpointing.max-concurrent-checkpoints", "1");
    settings.setString("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION");
    settings.setString("state.backend", "hashmap");
    settings.setString("state.checkpoints.dir", Path.of(arguments[1]).toAbsolutePath().toUri().toString());
    settings.setString("jobmanager.bind-host", "localhost");
    settings.setString("statefun.remote.module-name", Path.of(arguments[0]).toAbsolutePath().toUri().toString());
    for (int i = 2; i < arguments.length; i++) {
      String[] parts = arguments[i].split("=", 2);
      settings.setString(parts[0], parts[1]);
    }
    return settings;
  }

  public static void main(String[] arguments) throws Exception {
    Configuration settings = settings(arguments);
    StreamExecutionEnvironment environment =
        StreamExecutionEnvironment.createLocalEnvironment(settings.get(CoreOptions.DEFAULT_PARALLELISM), settings);
    environment.registerJobListener(new Watch());
    StatefulFunctionsConfig config = StatefulFunctionsConfig.fromFlinkConfiguration(settings);
    config.setProvider(new Provider());
    StatefulFunctionsJob.main(environment, config);
  }
}
