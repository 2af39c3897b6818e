// The application of ../README.md with the official JavaScript SDK, which has no types for long and double.
//
//   node functions.js --port PORT [--tolerant]
"use strict";

const http = require("http");
const {parseArgs} = require("util");
const {StateFun, messageBuilder, egressMessageBuilder, kafkaEgressMessage, kinesisEgressMessage} =
    require("apache-flink-statefun");
const {Duration} = require("google-protobuf/google/protobuf/duration_pb");

const WORDS = StateFun.customType("sdk.types/words", words => Buffer.from(words.join(" ")),
    octets => octets.toString().split(" "));
const COMMANDS = StateFun.jsonType("sdk.types/commands");
const DURATION = StateFun.protoType("type.googleapis.com/google.protobuf.Duration", Duration);
const RECORD = StateFun.jsonType("io.statefun.playground/EgressRecord");
const STATES = {an_int: StateFun.intType(), a_float: StateFun.floatType(), a_bool: StateFun.booleanType(),
    a_string: StateFun.stringType(), some_words: WORDS, a_duration: DURATION};
const SECOND = 1000, DAY = 24 * 3600 * SECOND;

const {values: options} = parseArgs({options: {port: {type: "string"}, tolerant: {type: "boolean"}}});
const statefun = new StateFun();

function report(context, fields) {
    const payload = JSON.stringify({id: context.self.id, ...fields});
    context.send(egressMessageBuilder({typename: "io.statefun.playground/egress", value: {topic: "out", payload},
        valueType: RECORD}));
}

function callerOf({caller}) {
    return caller === null ? null : `${caller.typename}/${caller.id}`;
}

statefun.bind({
    typename: "sdk/types",
    specs: Object.entries(STATES).map(([name, type]) => ({name, type})),
    async fn(context, message) {
        for (const [name, type] of Object.entries(STATES)) {
            if (!message.is(type))
                continue;
            const old = context.storage[name], value = message.as(type);
            context.storage[name] = value;
            for (const each of [old, value])
                if (each !== null)
                    context.send(messageBuilder({typename: "sdk/mirror", id: context.self.id, value: each,
                        valueType: type}));
            return;
        }
        if (!options.tolerant)
            throw new TypeError(`nothing is known of ${message.valueTypeName}`);
        report(context, {unreadable: message.valueTypeName});
    }
});

statefun.bind({
    typename: "sdk/mirror",
    fn(context, message) {
        report(context, {type: message.valueTypeName, hex: message.rawValueBytes.toString("hex"),
            caller: callerOf(context)});
    }
});

statefun.bind({
    typename: "sdk/forwarder",
    fn(context, message) {
        const asItIs = StateFun.customType(message.valueTypeName, octets => octets, octets => octets);
        context.send(messageBuilder({typename: "sdk/mirror", id: context.self.id, value: message.rawValueBytes,
            valueType: asItIs}));
    }
});

statefun.bind({
    typename: "sdk/expiring",
    specs: [
        {name: "always", type: StateFun.intType()},
        {name: "day_written", type: StateFun.intType(), expireAfterWrite: DAY},
        {name: "day_called", type: StateFun.intType(), expireAfterCall: DAY},
        {name: "second_written", type: StateFun.intType(), expireAfterWrite: SECOND},
        {name: "second_called", type: StateFun.intType(), expireAfterCall: SECOND}
    ],
    async fn(context, message) {
        const names = ["always", "day_written", "day_called", "second_written", "second_called"];
        const word = message.asString();
        if (word === "set")
            for (const name of names)
                context.storage[name] = 1;
        if (word === "delete")
            context.storage.always = null;
        report(context, {present: names.filter(name => context.storage[name] !== null)});
    }
});

const failures = {};

function run(context, command) {
    switch (command.op) {
    case "add":
        context.storage.sum = (context.storage.sum ?? 0) + command.n;
        break;
    case "send": {
        const message = messageBuilder({typename: "sdk/commands", id: command.to, value: {do: command.do},
            valueType: COMMANDS});
        if (command.after === undefined)
            context.send(message);
        else
            context.sendAfter(command.after, message, command.token);
        break;
    }
    case "cancel":
        context.cancelDelayedMessage(command.token);
        break;
    case "fail":
        failures[command.name] = (failures[command.name] ?? 0) + 1;
        if (failures[command.name] <= command.times)
            throw new Error(command.name);
        break;
    case "emit":
        report(context, {emit: command.text});
        break;
    case "report":
        report(context, {sum: context.storage.sum ?? 0, calls: context.storage.calls, caller: callerOf(context)});
        break;
    default:
        throw new Error(command.op);
    }
}

statefun.bind({
    typename: "sdk/commands",
    specs: [{name: "sum", type: StateFun.intType()}, {name: "calls", type: StateFun.intType()}],
    async fn(context, message) {
        context.storage.calls = (context.storage.calls ?? 0) + 1;
        for (const command of message.as(COMMANDS).do)
            run(context, command);
    }
});

let waiting = [];

statefun.bind({
    typename: "sdk/meeting",
    async fn(context, message) {
        if (message.asString() === "alone")
            return report(context, {met: 1});
        await new Promise((resolve, reject) => {
            const timer = setTimeout(() => reject(new Error("nobody came")), 30 * SECOND);
            waiting.push(() => {
                clearTimeout(timer);
                resolve();
            });
            if (waiting.length === 3) {
                waiting.forEach(goOn => goOn());
                waiting = [];
            }
        });
        report(context, {met: 3});
    }
});

statefun.bind({
    typename: "sdk/egresses",
    async fn(context, message) {
        const topic = message.asString(), key = context.self.id;
        for (const value of ["text", Buffer.from([0x00, 0xff]), 258])
            context.send(kafkaEgressMessage({typename: "sdk/kafka", topic, key, value}));
        context.send(kafkaEgressMessage({typename: "sdk/kafka", topic, value: ["no", "key"], valueType: WORDS}));
        context.send(kinesisEgressMessage({typename: "sdk/kinesis", stream: topic, value: "text", partitionKey: key,
            hashKey: "123"}));
    }
});

// Functions with a path of their own: their handler knows no other.
function only(name) {
    const alone = new StateFun();
    alone.bind({
        typename: `path/${name}`,
        fn(context) {
            report(context, {function: `path/${name}`});
        }
    });
    return alone.handler();
}

const paths = {"/statefun": statefun.handler(), "/functions/one": only("one"), "/functions/two": only("two")};

http.createServer((request, response) => {
    const handle = paths[request.url] ?? ((_, unknown) => unknown.writeHead(404).end());
    handle(request, response);
}).listen(Number(options.port), "127.0.0.1");
