# An image of the runtime, with its library for functions in C, on which the projects of 'statefun new' build:
#
#   docker build -t statefun:0.1.0 .
#
# Modules are mounted or copied to /opt/statefun/modules, data lies in /var/lib/statefun.
FROM debian:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev cmake ninja-build pkg-config \
        librdkafka-dev librocksdb-dev libyaml-dev libjansson-dev libxxhash-dev zlib1g-dev libssl-dev \
        libnghttp2-dev libcurl4-openssl-dev dpkg-dev file
COPY . /src
RUN cmake -S /src -B /build -G Ninja -DBUILD_TESTING=OFF && cmake --build /build && cd /build && cpack -G DEB

FROM debian:12-slim
COPY --from=build /build/*.deb /tmp/
RUN apt-get update && apt-get install -y --no-install-recommends /tmp/*.deb ca-certificates libcurl4 && \
    rm -rf /tmp/*.deb /var/lib/apt/lists/*
ENV STATEFUN_DATA=/var/lib/statefun
VOLUME /var/lib/statefun
EXPOSE 8081 8090 8091
ENTRYPOINT ["statefun"]
CMD ["run"]
