// The application of ../README.md with the official Go SDK.
//
//	functions --port PORT [--tolerant]
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/apache/flink-statefun/statefun-sdk-go/v3/pkg/statefun"
	"google.golang.org/protobuf/types/known/durationpb"
)

// wordsType is a custom type: a list of words, separated by blanks.
type wordsType struct{}

func (wordsType) GetTypeName() statefun.TypeName { return statefun.TypeNameFrom("sdk.types/words") }

func (wordsType) Serialize(writer io.Writer, data interface{}) error {
	_, err := io.WriteString(writer, strings.Join(data.([]string), " "))
	return err
}

func (wordsType) Deserialize(reader io.Reader, receiver interface{}) error {
	octets, err := io.ReadAll(reader)
	*receiver.(*[]string) = strings.Split(string(octets), " ")
	return err
}

// octetsType is any type whose values are passed on as they are.
type octetsType struct{ name statefun.TypeName }

func (t octetsType) GetTypeName() statefun.TypeName { return t.name }

func (octetsType) Serialize(writer io.Writer, data interface{}) error {
	_, err := writer.Write(data.([]byte))
	return err
}

func (octetsType) Deserialize(io.Reader, interface{}) error { return errors.New("only passed on") }

type command struct {
	Op    string    `json:"op"`
	N     int32     `json:"n,omitempty"`
	To    string    `json:"to,omitempty"`
	Do    []command `json:"do,omitempty"`
	After *int64    `json:"after,omitempty"`
	Token string    `json:"token,omitempty"`
	Name  string    `json:"name,omitempty"`
	Times int       `json:"times,omitempty"`
	Text  string    `json:"text,omitempty"`
}

type commands struct {
	Do []command `json:"do"`
}

type fields map[string]interface{}

var (
	commandsType = statefun.MakeJsonType(statefun.TypeNameFrom("sdk.types/commands"))
	recordType   = statefun.MakeJsonType(statefun.TypeNameFrom("io.statefun.playground/EgressRecord"))
	mirrorName   = statefun.TypeNameFrom("sdk/mirror")
	commandsName = statefun.TypeNameFrom("sdk/commands")
	playground   = statefun.TypeNameFrom("io.statefun.playground/egress")
	kafka        = statefun.TypeNameFrom("sdk/kafka")
	kinesis      = statefun.TypeNameFrom("sdk/kinesis")

	port     = flag.String("port", "", "the port to serve on")
	tolerant = flag.Bool("tolerant", false, "report what cannot be read")
)

func report(ctx statefun.Context, what fields) {
	what["id"] = ctx.Self().Id
	payload, err := json.Marshal(what)
	if err != nil {
		panic(err)
	}
	ctx.SendEgress(statefun.GenericEgressBuilder{
		Target:    playground,
		Value:     map[string]string{"topic": "out", "payload": string(payload)},
		ValueType: recordType,
	})
}

func callerOf(ctx statefun.Context) interface{} {
	caller := ctx.Caller()
	if caller == nil {
		return nil
	}
	return caller.FunctionType.String() + "/" + caller.Id
}

// typed is one state of sdk/types; make gives a pointer to a value of its type.
type typed struct {
	spec statefun.ValueSpec
	make func() interface{}
}

var states = []typed{
	{statefun.ValueSpec{Name: "an_int", ValueType: statefun.Int32Type}, func() interface{} { return new(int32) }},
	{statefun.ValueSpec{Name: "a_long", ValueType: statefun.Int64Type}, func() interface{} { return new(int64) }},
	{statefun.ValueSpec{Name: "a_float", ValueType: statefun.Float32Type}, func() interface{} { return new(float32) }},
	{statefun.ValueSpec{Name: "a_double", ValueType: statefun.Float64Type}, func() interface{} { return new(float64) }},
	{statefun.ValueSpec{Name: "a_bool", ValueType: statefun.BoolType}, func() interface{} { return new(bool) }},
	{statefun.ValueSpec{Name: "a_string", ValueType: statefun.StringType}, func() interface{} { return new(string) }},
	{statefun.ValueSpec{Name: "some_words", ValueType: wordsType{}}, func() interface{} { return new([]string) }},
	{statefun.ValueSpec{Name: "a_duration", ValueType: statefun.MakeProtobufType(&durationpb.Duration{})},
		func() interface{} { return new(durationpb.Duration) }},
}

// value is what a receiver received, as the type serializes it: messages by pointer, all else by value.
func value(receiver interface{}) interface{} {
	if message, ok := receiver.(*durationpb.Duration); ok {
		return message
	}
	return reflect.ValueOf(receiver).Elem().Interface()
}

func types(ctx statefun.Context, message statefun.Message) error {
	for _, state := range states {
		if !message.Is(state.spec.ValueType) {
			continue
		}
		received, kept := state.make(), state.make()
		if err := message.As(state.spec.ValueType, received); err != nil {
			return err
		}
		mirror := statefun.Address{FunctionType: mirrorName, Id: ctx.Self().Id}
		if ctx.Storage().Get(state.spec, kept) {
			ctx.Send(statefun.MessageBuilder{Target: mirror, Value: value(kept), ValueType: state.spec.ValueType})
		}
		ctx.Storage().Set(state.spec, value(received))
		ctx.Send(statefun.MessageBuilder{Target: mirror, Value: value(received), ValueType: state.spec.ValueType})
		return nil
	}
	if !*tolerant {
		return fmt.Errorf("nothing is known of %v", message.ValueTypeName())
	}
	report(ctx, fields{"unreadable": message.ValueTypeName().String()})
	return nil
}

func mirror(ctx statefun.Context, message statefun.Message) error {
	report(ctx, fields{"type": message.ValueTypeName().String(), "hex": hex.EncodeToString(message.RawValue()),
		"caller": callerOf(ctx)})
	return nil
}

func forwarder(ctx statefun.Context, message statefun.Message) error {
	ctx.Send(statefun.MessageBuilder{
		Target:    statefun.Address{FunctionType: mirrorName, Id: ctx.Self().Id},
		Value:     message.RawValue(),
		ValueType: octetsType{message.ValueTypeName()},
	})
	return nil
}

var expiringStates = []statefun.ValueSpec{
	{Name: "always", ValueType: statefun.Int32Type},
	{Name: "day_written", ValueType: statefun.Int32Type, Expiration: statefun.ExpireAfterWrite(24 * time.Hour)},
	{Name: "day_called", ValueType: statefun.Int32Type, Expiration: statefun.ExpireAfterCall(24 * time.Hour)},
	{Name: "second_written", ValueType: statefun.Int32Type, Expiration: statefun.ExpireAfterWrite(time.Second)},
	{Name: "second_called", ValueType: statefun.Int32Type, Expiration: statefun.ExpireAfterCall(time.Second)},
}

func expiring(ctx statefun.Context, message statefun.Message) error {
	word := message.AsString()
	if word == "set" {
		for _, spec := range expiringStates {
			ctx.Storage().Set(spec, int32(1))
		}
	}
	if word == "delete" {
		ctx.Storage().Remove(expiringStates[0])
	}
	present := []string{}
	for _, spec := range expiringStates {
		var kept int32
		if ctx.Storage().Get(spec, &kept) {
			present = append(present, spec.Name)
		}
	}
	report(ctx, fields{"present": present})
	return nil
}

var (
	lock     sync.Mutex // of what the invocations share
	failures = map[string]int{}
	waiting  []chan struct{}
)

func fails(c command) bool {
	lock.Lock()
	defer lock.Unlock()
	failures[c.Name]++
	return failures[c.Name] <= c.Times
}

var (
	sum   = statefun.ValueSpec{Name: "sum", ValueType: statefun.Int32Type}
	calls = statefun.ValueSpec{Name: "calls", ValueType: statefun.Int32Type}
)

func stored(ctx statefun.Context, spec statefun.ValueSpec) (kept int32) {
	ctx.Storage().Get(spec, &kept)
	return
}

func send(ctx statefun.Context, c command) error {
	message := statefun.MessageBuilder{
		Target:    statefun.Address{FunctionType: commandsName, Id: c.To},
		Value:     commands{c.Do},
		ValueType: commandsType,
	}
	if c.After == nil {
		ctx.Send(message)
		return nil
	}
	delay := time.Duration(*c.After) * time.Millisecond
	if c.Token == "" {
		ctx.SendAfter(delay, message)
		return nil
	}
	token, err := statefun.NewCancellationToken(c.Token)
	if err == nil {
		ctx.SendAfterWithCancellationToken(delay, token, message)
	}
	return err
}

func run(ctx statefun.Context, c command) error {
	switch c.Op {
	case "add":
		ctx.Storage().Set(sum, stored(ctx, sum)+c.N)
	case "send":
		return send(ctx, c)
	case "cancel":
		token, err := statefun.NewCancellationToken(c.Token)
		if err != nil {
			return err
		}
		ctx.CancelDelayedMessage(token)
	case "fail":
		if fails(c) {
			return errors.New(c.Name)
		}
	case "emit":
		report(ctx, fields{"emit": c.Text})
	case "report":
		report(ctx, fields{"sum": stored(ctx, sum), "calls": stored(ctx, calls), "caller": callerOf(ctx)})
	default:
		return errors.New(c.Op)
	}
	return nil
}

func interpreter(ctx statefun.Context, message statefun.Message) error {
	ctx.Storage().Set(calls, stored(ctx, calls)+1)
	var list commands
	if err := message.As(commandsType, &list); err != nil {
		return err
	}
	for _, c := range list.Do {
		if err := run(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func meeting(ctx statefun.Context, message statefun.Message) error {
	if message.AsString() == "alone" {
		report(ctx, fields{"met": 1})
		return nil
	}
	patience, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	here := make(chan struct{})
	lock.Lock()
	waiting = append(waiting, here)
	if len(waiting) == 3 {
		for _, somebody := range waiting {
			close(somebody)
		}
		waiting = nil
	}
	lock.Unlock()
	impatient := statefun.DeriveContext(ctx, patience)
	select {
	case <-here:
		report(impatient, fields{"met": 3})
		return nil
	case <-impatient.Done():
		return errors.New("nobody came")
	}
}

func egresses(ctx statefun.Context, message statefun.Message) error {
	topic, id := message.AsString(), ctx.Self().Id
	for _, value := range []interface{}{"text", []byte{0x00, 0xff}, int32(258), 1.5, int64(259), float32(2.5)} {
		ctx.SendEgress(statefun.KafkaEgressBuilder{Target: kafka, Topic: topic, Key: id, Value: value})
	}
	ctx.SendEgress(statefun.KafkaEgressBuilder{Target: kafka, Topic: topic, Value: []string{"no", "key"},
		ValueType: wordsType{}})
	ctx.SendEgress(statefun.KinesisEgressBuilder{Target: kinesis, Stream: topic, Value: "text", PartitionKey: id,
		ExplicitHashKey: "123"})
	return nil
}

type functions map[string]statefun.StatefulFunctionPointer

// serve makes a handler that knows these functions and no other.
func serve(path string, known functions, specs map[string][]statefun.ValueSpec) {
	builder := statefun.StatefulFunctionsBuilder()
	for name, function := range known {
		if err := builder.WithSpec(statefun.StatefulFunctionSpec{
			FunctionType: statefun.TypeNameFrom(name),
			States:       specs[name],
			Function:     function,
		}); err != nil {
			log.Fatal(err)
		}
	}
	http.Handle(path, builder.AsHandler())
}

func main() {
	flag.Parse()
	typeStates := []statefun.ValueSpec{}
	for _, state := range states {
		typeStates = append(typeStates, state.spec)
	}
	serve("/statefun", functions{"sdk/types": types, "sdk/mirror": mirror, "sdk/forwarder": forwarder,
		"sdk/expiring": expiring, "sdk/commands": interpreter, "sdk/meeting": meeting, "sdk/egresses": egresses},
		map[string][]statefun.ValueSpec{"sdk/types": typeStates, "sdk/expiring": expiringStates,
			"sdk/commands": {sum, calls}})
	for _, name := range []string{"one", "two"} {
		name := "path/" + name
		serve("/functions/"+strings.TrimPrefix(name, "path/"), functions{
			name: func(ctx statefun.Context, _ statefun.Message) error {
				report(ctx, fields{"function": name})
				return nil
			}}, nil)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+*port, nil))
}
