// The function that the benchmark calls, with the official Go SDK so that it is not the limit: it counts what
// it is sent, for each id, and writes each count, with what was sent, to Kafka.
package main

import (
	"flag"
	"log"
	"net/http"
	"strconv"

	"github.com/apache/flink-statefun/statefun-sdk-go/v3/pkg/statefun"
)

var count = statefun.ValueSpec{Name: "count", ValueType: statefun.Int64Type}

func counter(ctx statefun.Context, message statefun.Message) error {
	var n int64
	ctx.Storage().Get(count, &n)
	n++
	ctx.Storage().Set(count, n)
	ctx.SendEgress(statefun.KafkaEgressBuilder{
		Target: statefun.TypeNameFrom("bench/out"),
		Topic:  *topic,
		Key:    ctx.Self().Id,
		Value:  strconv.FormatInt(n, 10) + " " + string(message.RawValue()),
	})
	return nil
}

var topic = flag.String("topic", "out", "where the records go")

func main() {
	listen := flag.String("listen", "127.0.0.1:8000", "host:port")
	flag.Parse()
	builder := statefun.StatefulFunctionsBuilder()
	if err := builder.WithSpec(statefun.StatefulFunctionSpec{
		FunctionType: statefun.TypeNameFrom("bench/counter"),
		States:       []statefun.ValueSpec{count},
		Function:     statefun.StatefulFunctionPointer(counter),
	}); err != nil {
		log.Fatal(err)
	}
	http.Handle("/statefun", builder.AsHandler())
	log.Fatal(http.ListenAndServe(*listen, nil))
}
