package org.apache.flink.statefun.flink.io.kinesis;

import java.util.Map;
import org.apache.flink.statefun.flink.io.spi.FlinkIoModule;

/** On the class path before StateFun's own, which wants Flink's connector for Kinesis, 57 MB, used or not. */
public final class KinesisFlinkIOModule implements FlinkIoModule {
  @Override
  public void configure(Map<String, String> globalConfiguration, Binder binder) {}
}
