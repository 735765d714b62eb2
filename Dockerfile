# syntax=docker/dockerfile:1
# jobd in a container: PID 1, a numeric user, a root file system that may be read-only, data in /data.
#
#   docker build -t jobd .
#   docker run --rm --read-only -v jobd-data:/data -p 127.0.0.1:8080:8080 jobd
#
# The default command says --insecure: inside the container jobd must listen on every address and
# has no keys yet, so publish the port to 127.0.0.1 only, or to a network that you trust.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY script/install script/packages script/
RUN script/install build && rm -rf /var/lib/apt/lists/*
COPY . .
RUN make -j"$(nproc)" all && make install DESTDIR=/out PREFIX=/usr

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="jobd" \
      org.opencontainers.image.description="Durable jobs over HTTP: programs run by a parent that knows how they ended" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim"
COPY script/install script/packages /tmp/script/
RUN /tmp/script/install run && rm -rf /var/lib/apt/lists/* /tmp/script
COPY --from=build /out/usr/bin/jobd /usr/bin/jobd
COPY --from=build /out/usr/share/doc/jobd/LICENSE /usr/share/doc/jobd/LICENSE
COPY examples/container.yaml /etc/jobd/jobd.yaml
# A new volume takes over the owner of this directory.
RUN install -d -o 65532 -g 65532 -m 700 /data
USER 65532:65532
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 \
    CMD ["/usr/bin/jobd", "healthcheck", "--data-dir", "/data"]
ENTRYPOINT ["/usr/bin/jobd", "--config", "/etc/jobd/jobd.yaml", "--data-dir", "/data"]
CMD ["--listen", "0.0.0.0:8080", "--insecure"]
